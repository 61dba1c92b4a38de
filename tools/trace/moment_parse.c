/*
 * Reads moments as users write them.  Runs in reports.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "trace/moment.h"

static const struct moment named[] = {
    {.kind = MOMENT_START, .name = "start"},
    {.kind = MOMENT_PEAK, .name = "peak"},
    {.kind = MOMENT_END, .name = "end"},
    {.kind = MOMENT_NOW, .name = "now"},
};

const char *moment_choices(void)
{
    return "start, peak, end, now, mark:NAME, mark:NAME#3 (the third of that name), 12.5 or -30 "
           "(seconds from the start, from the end), 14:03:20 (time of day)";
}

/* A plain decimal number that is all there is, and no more than a century. */
static bool parse_seconds(struct moment *moment, const char *text)
{
    moment->from_end = *text == '-';
    text += moment->from_end;
    size_t whole = strspn(text, "0123456789"), part = 0;
    if (text[whole] == '.')
        part = 1 + strspn(text + whole + 1, "0123456789");
    if (text[whole + part] || whole + part < 1 || (whole == 0 && part == 1))
        return false;
    moment->seconds = strtod(text, NULL);
    moment->kind = MOMENT_SECONDS;
    return moment->seconds < 3.2e9;
}

/* HH:MM or HH:MM:SS with decimals; returns what follows, NULL if it is no time. */
static const char *parse_time(const char *text, double *seconds)
{
    unsigned hour, minute, second = 0;
    int end = 0, more = 0;
    if (sscanf(text, "%2u:%2u%n", &hour, &minute, &end) != 2 || !end || hour > 23 || minute > 59)
        return NULL;
    text += end;
    if (sscanf(text, ":%2u%n", &second, &more) == 1)
        text += more;
    *seconds = hour * 3600.0 + minute * 60.0 + second;
    if (*text == '.' && more) {
        size_t digits = strspn(text + 1, "0123456789");
        *seconds += strtod(text, NULL);
        text += 1 + digits;
    }
    return second <= 60 ? text : NULL;
}

/* Z, +01:00 or nothing: the offset of this place then. */
static bool parse_zone(struct moment *moment, const char *text, struct tm *date)
{
    double offset = 0, of_day = moment->seconds;
    const char *end = text + 1;
    if (!*text) {
        date->tm_hour = (int)of_day / 3600;
        date->tm_min = (int)of_day / 60 % 60;
        date->tm_isdst = -1;
        moment->seconds = (double)mktime(date) + of_day - ((int)of_day / 60 * 60);
        return true;
    }
    if (*text == '+' || *text == '-')
        end = parse_time(text + 1, &offset);
    else if (*text != 'Z')
        return false;
    moment->seconds = (double)timegm(date) + of_day - (*text == '-' ? -offset : offset);
    return end && !*end;
}

static bool parse_clock(struct moment *moment, const char *text)
{
    struct tm date = {0};
    int end = 0;
    moment->kind = MOMENT_CLOCK;
    if (sscanf(text, "%4d-%2d-%2d%n", &date.tm_year, &date.tm_mon, &date.tm_mday, &end) == 3 &&
        end == 10 && (text[end] == 'T' || text[end] == ' ')) {
        date.tm_year -= 1900;
        date.tm_mon--;
        text = parse_time(text + end + 1, &moment->seconds);
        return text && parse_zone(moment, text, &date);
    }
    moment->of_day = true;
    text = parse_time(text, &moment->seconds);
    return text && !*text;
}

bool moment_parse(struct moment *moment, const char *text)
{
    for (size_t i = 0; i < sizeof named / sizeof *named; i++) {
        if (strcmp(text, named[i].name) == 0) {
            *moment = named[i];
            return true;
        }
    }
    *moment = (struct moment){.kind = MOMENT_MARK, .name = text};
    if (strncmp(text, "mark:", 5) == 0)
        return text[5] != 0;
    return parse_seconds(moment, text) || parse_clock(moment, text);
}
