/*
 * `list` (list.h).  Runs in the tools.
 */
#include "render/list.h"

#include <stdlib.h>
#include <string.h>

#include "render/csv.h"
#include "render/escape.h"
#include "render/fit.h"
#include "render/json.h"
#include "render/look.h"

/* "12 s", "3 m", "5 h", "9 d": one number is enough to tell which run it was. */
static char *age_words(char *words, size_t size, double seconds)
{
    if (seconds < 0)
        seconds = 0;
    if (seconds < 60)
        snprintf(words, size, "%.0f s", seconds);
    else if (seconds < 60 * 60)
        snprintf(words, size, "%.0f m", seconds / 60);
    else if (seconds < 48 * 3600.0)
        snprintf(words, size, "%.0f h", seconds / 3600);
    else
        snprintf(words, size, "%.0f d", seconds / 86400);
    return words;
}

/* As print_name prints it; to be freed. */
static char *printed(const char *name, size_t *columns)
{
    char *text = NULL;
    size_t size;
    FILE *file = open_memstream(&text, &size);
    if (!file)
        abort();
    print_name(file, name);
    if (fclose(file) != 0)
        abort();
    *columns = fit_columns(text, size);
    return text;
}

static int longest_name(const struct list *list)
{
    size_t longest = 5, columns;
    for (size_t i = 0; i < list->n; i++) {
        free(printed(list->found[i].path, &columns));
        longest = columns > longest ? columns : longest;
    }
    return (int)(longest < 60 ? longest : 60);
}

static void print_padded(FILE *file, const char *name, int width)
{
    size_t columns;
    char *text = printed(name, &columns);
    fprintf(file, "%s%*s", text, (int)columns < width ? width - (int)columns : 0, "");
    free(text);
}

static void print_line(FILE *file, const struct list *list, const struct found *found, int width)
{
    char age[32], bytes[FORMAT_SIZE], peak[FORMAT_SIZE] = "", rss[FORMAT_SIZE] = "";
    char time[FORMAT_SIZE] = "";
    if (found->command) {
        format_total(peak, (int64_t)found->peak, list->units);
        format_total(rss, (int64_t)found->peak_rss, list->units);
        format_time(time, found->state == FOUND_RUNNING ? found->elapsed_us : found->time_us);
    }
    print_padded(file, found->path, width);
    fprintf(file, "  %5s  %10s  %10s  %10s  %10s%c %s",
        age_words(age, sizeof age, list->now - found->modified),
        format_total(bytes, found->bytes, list->units), time, peak, rss,
        found->proportional ? '*' : ' ', found_state_names[found->state]);
    if (found->command && *found->command) {
        size_t state = strlen(found_state_names[found->state]);
        fprintf(file, "%*s", state < 10 ? (int)(12 - state) : 2, "");
        fputs(found->command, file); /* escaped when it was made */
    }
    fputc('\n', file);
}

void list_text(FILE *file, const struct list *list)
{
    FILE *lines = fit_wrap(file, look_of(file).width);
    int width = longest_name(list);
    if (list->n)
        fprintf(lines, "%-*s  %5s  %10s  %10s  %10s  %10s  %-10s  %s\n", width, "trace", "age",
            "size", "time", "peak live", "peak RSS", "state", "program");
    bool proportional = false;
    for (size_t i = 0; i < list->n; i++) {
        print_line(lines, list, &list->found[i], width);
        proportional |= list->found[i].proportional;
    }
    if (proportional)
        fputs("* PSS of several processes: pages that they share count once\n", lines);
    fit_close(lines, file);
}

static void put_trace(struct json *json, const struct list *list, const struct found *found)
{
    json_open(json, NULL, '{');
    json_name(json, "trace", found->path);
    json_timestamp(json, "modified", found->modified);
    json_timestamp(json, "age", list->now - found->modified);
    json_number(json, "size", found->bytes);
    json_name(json, "state", found_state_names[found->state]);
    if (found->command) {
        json_name(json, "program", found->command);
        json_seconds(json, "seconds", (double)found->time_us / 1e6);
        json_number(json, "peak", (int64_t)found->peak);
        json_number(json, found->proportional ? "peak_pss" : "peak_rss", (int64_t)found->peak_rss);
    }
    json_close(json, '}');
}

void list_json(FILE *file, const struct list *list)
{
    struct json json = {.file = file};
    json_open(&json, NULL, '{');
    json_number(&json, "schema", 1);
    json_open(&json, "traces", '[');
    for (size_t i = 0; i < list->n; i++)
        put_trace(&json, list, &list->found[i]);
    json_close(&json, ']');
    json_close(&json, '}');
}

/* One of two columns has it: as RSS, or as PSS. */
static void put_resident(struct csv *csv, const struct found *found, bool proportional)
{
    if (found->proportional == proportional)
        csv_number(csv, (int64_t)found->peak_rss);
    else
        csv_text(csv, "");
}

void list_csv(FILE *file, const struct list *list)
{
    static const char *const columns[] = {
        "trace", "modified", "size", "state", "program", "seconds", "peak", "peak_rss", "peak_pss"};
    struct csv csv = {.file = file};
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        csv_text(&csv, columns[i]);
    csv_end_line(&csv);
    for (size_t i = 0; i < list->n; i++) {
        const struct found *found = &list->found[i];
        char seconds[32];
        snprintf(seconds, sizeof seconds, "%.9g", (double)found->time_us / 1e6);
        csv_text(&csv, found->path);
        csv_number(&csv, (int64_t)found->modified);
        csv_number(&csv, found->bytes);
        csv_text(&csv, found_state_names[found->state]);
        csv_text(&csv, found->command ? found->command : "");
        csv_text(&csv, seconds);
        csv_number(&csv, (int64_t)found->peak);
        put_resident(&csv, found, false);
        put_resident(&csv, found, true);
        csv_end_line(&csv);
    }
}
