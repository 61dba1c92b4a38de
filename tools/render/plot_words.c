/*
 * The words of a plot: command, subtitle, process names, sizes and times.
 * Runs in reports.
 */
#include "render/plot_words.h"
#include "render/fit.h"
#include "render/gap.h"
#include "trace/meta.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

const char *plot_size(char buffer[32], uint64_t bytes, enum units units)
{
    static const char *const names[] = {"KiB", "MiB", "GiB", "TiB"};
    if (units == UNITS_B || (units == UNITS_AUTO && bytes < 10240)) {
        snprintf(buffer, 32, "%" PRIu64 " B", bytes);
        return buffer;
    }
    double size = (double)bytes / 1024;
    size_t unit = 0;
    for (; units == UNITS_AUTO && size >= 1023.95 && unit < 3; unit++)
        size /= 1024;
    snprintf(buffer, 32, unit < 2 ? "%.1f %s" : "%.2f %s", size, names[unit]);
    return buffer;
}

const char *plot_time(char buffer[32], uint64_t time_us)
{
    double seconds = (double)time_us / 1e6;
    uint64_t minutes = (uint64_t)(seconds / 60 + 0.5);
    if (seconds < 0.9995)
        snprintf(buffer, 32, seconds < 0.00995 ? "%.1f ms" : "%.0f ms", seconds * 1e3);
    else if (seconds < 180)
        snprintf(buffer, 32, seconds < 9.995 ? "%.2f s" : "%.1f s", seconds);
    else if (seconds < 3 * 3600)
        snprintf(buffer, 32, "%.1f min", seconds / 60);
    else
        snprintf(buffer, 32, "%u h %02u min", (unsigned)(minutes / 60), (unsigned)(minutes % 60));
    return buffer;
}

void plot_shorten(char *text, size_t most)
{
    if (strlen(text) <= most || most < 4)
        return;
    size_t end = most - 3;
    while (end > 0 && ((unsigned char)text[end] & 0xc0) == 0x80)
        end--;
    strcpy(text + end, "...");
}

static char *next_character(char *text)
{
    do
        text++;
    while (((unsigned char)*text & 0xc0) == 0x80);
    return text;
}

void plot_shorten_head(char *text, size_t most)
{
    char *from = text;
    if (fit_columns(text, strlen(text)) <= most || most < 4)
        return;
    while (fit_columns(from, strlen(from)) > most - 3)
        from = next_character(from);
    char *folder = strchr(from, '/');
    from = folder && folder[1] ? folder : from; /* a whole name, if one fits */
    memmove(text + 3, from, strlen(from) + 1);
    memcpy(text, "...", 3);
}

void plot_shorten_middle(char *text, size_t most)
{
    size_t size = strlen(text);
    if (size <= most || most < 8)
        return;
    size_t end = (most - 3) / 2;
    char *from = text + size - (most - 3 - end);
    while (((unsigned char)text[end] & 0xc0) == 0x80)
        end--;
    while (((unsigned char)*from & 0xc0) == 0x80)
        from++;
    memcpy(text + end, "...", 3);
    memmove(text + end + 3, from, strlen(from) + 1);
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

/* The arguments of a process, one after the other; *at starts as 0.  NULL after the last. */
static const char *next_argument(const struct trace_string *command, size_t *at)
{
    if (*at >= command->size)
        return NULL;
    const char *argument = command->data + *at;
    *at += strlen(argument) + 1;
    return argument;
}

/* The first that is Python: launchers come before it. */
static const struct trace_process *main_process(const struct trace *trace)
{
    for (size_t p = 1; p < trace->n_processes; p++)
        if (trace->processes[p].python)
            return &trace->processes[p];
    return &trace->processes[1];
}

char *plot_command(const struct trace *trace, size_t most)
{
    const struct trace_string *command = &trace->strings[main_process(trace)->command];
    char *text = calloc(1, command->size + 5);
    bool named = false;   /* the program or script has been seen: what follows is left as it is */
    bool is_code = false; /* the next one, or a module's name: no path */
    size_t at = 0, index = 0, length = 0;
    if (!text)
        return NULL;
    for (const char *argument; (argument = next_argument(command, &at)); index++) {
        const char *shown = argument;
        if (index == 0 || (!named && argument[0] != '-')) {
            shown = is_code ? argument : base_name(argument);
            named = index > 0;
        }
        is_code = strcmp(argument, "-c") == 0 || strcmp(argument, "-m") == 0;
        length += (size_t)sprintf(text + length, "%s%s", index ? " " : "", shown);
    }
    plot_shorten(text, most);
    return text;
}

void plot_process_name(char *name, size_t size, const struct trace *trace, uint32_t process)
{
    const struct trace_process *about = &trace->processes[process];
    const struct trace_string *command = &trace->strings[about->command];
    size_t at = 0;
    const char *program = next_argument(command, &at), *script = next_argument(command, &at);
    if (!program)
        program = trace->strings[about->path].data;
    const char *after = next_argument(command, &at);
    char text[200];
    if (about->python && script && strcmp(script, "-m") == 0 && after)
        program = after;
    else if (about->python && script && (script[0] != '-' || !script[1]))
        program = script;
    bool code = about->python && script && strcmp(script, "-c") == 0;
    snprintf(
        text, sizeof text, "%s%s", *program ? base_name(program) : "process", code ? " -c" : "");
    plot_shorten(text, 24);
    snprintf(name, size, "%s (%d)", text, about->pid);
}

/* When the trace began, in the words of this place; "" if it is not known. */
static void start_words(char *words, size_t size, const struct meta *meta)
{
    time_t when = (time_t)meta->start;
    struct tm parts;
    words[0] = 0;
    if (meta->start > 0 && localtime_r(&when, &parts))
        strftime(words, size, "%Y-%m-%d %H:%M:%S", &parts);
}

char *plot_subtitle(const struct trace *trace)
{
    const char *python = trace->strings[main_process(trace)->python].data;
    char words[64], time[32], lost[GAP_WORDS], *text = NULL;
    struct meta meta;
    uint64_t end_us = 0;
    for (size_t p = 1; p < trace->n_processes; p++) {
        const struct trace_timeline *timeline = &trace->timelines[p];
        if (timeline->count && timeline->samples[timeline->count - 1].time_us > end_us)
            end_us = timeline->samples[timeline->count - 1].time_us;
        if (trace->processes[p].ended && trace->processes[p].end_us > end_us)
            end_us = trace->processes[p].end_us;
    }
    meta_read(&meta, trace);
    start_words(words, sizeof words, &meta);
    gap_words(lost, trace);
    if (asprintf(&text, "%s%s%s%s%.80s%s%s%.20s%s%s%s", lost, *lost ? ", " : "", words,
            *meta.host && *words ? ", " : "", meta.host, *meta.host || *words ? ", " : "",
            *python ? "Python " : "", python, *python ? ", " : "", plot_time(time, end_us),
            trace->sealed ? "" : ", not complete") < 0)
        text = NULL;
    return text;
}
