/*
 * Words for moments.  Runs in the tools.
 */
#include "render/moments.h"

#include <stdlib.h>
#include <string.h>

#include "render/escape.h"
#include "render/format.h"
#include "render/output.h"

/* With as many decimals as tell it from the other one. */
static char *time_beside(char buffer[FORMAT_SIZE], uint64_t time_us, uint64_t other_us)
{
    char other[FORMAT_SIZE];
    if (strcmp(format_time(buffer, time_us), format_time(other, other_us)) == 0 &&
        time_us < 100000000)
        snprintf(buffer, FORMAT_SIZE, "%.3f s", (double)time_us / 1e6);
    return buffer;
}

/* From minutes on the times alone would hide how far it is. */
static void print_distance(FILE *file, const struct instant *instant)
{
    char distance[FORMAT_SIZE];
    bool later = instant->time_us > instant->wanted_us;
    if (instant->time_us < 100000000 && instant->wanted_us < 100000000)
        return;
    fprintf(file, ", %s %s",
        format_time(distance,
            later ? instant->time_us - instant->wanted_us : instant->wanted_us - instant->time_us),
        later ? "later" : "earlier");
}

static void print_nearest(FILE *file, const struct moment *moment, const struct instant *instant)
{
    char time[FORMAT_SIZE], wanted[FORMAT_SIZE];
    fprintf(file, "%s (nearest to ", time_beside(time, instant->time_us, instant->wanted_us));
    if (moment->kind != MOMENT_SECONDS || moment->from_end) {
        print_name(file, moment->name);
        fputs(" at ", file);
    }
    fputs(time_beside(wanted, instant->wanted_us, instant->time_us), file);
    print_distance(file, instant);
    fputc(')', file);
}

static void print_moment(
    FILE *file, const struct moment *moment, const struct instant *instant, uint64_t time_us)
{
    char time[FORMAT_SIZE];
    format_time(time, time_us);
    if (instant->nearest) {
        print_nearest(file, moment, instant);
        return;
    }
    if (moment->kind == MOMENT_SECONDS) {
        fputs(time, file);
        return;
    }
    print_name(file, moment->name);
    if (instant->marks > 1 && !strrchr(moment->name, '#'))
        fprintf(file, " (the last of %u, %s)", instant->marks, time);
    else if (moment->kind != MOMENT_START && instant->kind != MOMENT_END)
        fprintf(file, " (%s)", time);
}

void print_at(FILE *file, const struct view *view)
{
    print_moment(file, &view->options->moment, &view->at, view->state.time_us);
}

void print_from(FILE *file, const struct view *view)
{
    print_moment(file, &view->options->from, &view->from, view->from.time_us);
}

static void put_moment(struct json *json, const char *key, const struct moment *moment,
    const struct instant *instant, uint64_t time_us)
{
    json_open(json, key, '{');
    json_name(json, "name", moment->name);
    json_seconds(json, "seconds", (double)time_us / 1e6);
    if (instant->nearest) {
        json_flag(json, "nearest", true);
        if (instant->wanted_us != time_us)
            json_seconds(json, "wanted", (double)instant->wanted_us / 1e6);
    }
    json_close(json, '}');
}

void json_moments(struct json *json, const struct view *view)
{
    struct instant at = view->at;
    if (view->state.nearest) {
        at.nearest = true;
        at.wanted_us = view->state.time_us;
    }
    put_moment(json, "at", &view->options->moment, &at, view->state.time_us);
    if (view->options->interval)
        put_moment(json, "from", &view->options->from, &view->from, view->from.time_us);
}

/* ---- what was not found ---- */

enum { MARKS_NAMED = 12 };

static bool is_first(const struct trace *trace, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (trace->boundaries[k].kind == MT_BOUNDARY_MARK &&
            trace->boundaries[k].name == trace->boundaries[i].name)
            return false;
    return true;
}

/* "mark:a, mark:b, ..."; how many were named. */
static unsigned name_marks(FILE *file, const struct trace *trace)
{
    unsigned named = 0;
    for (size_t i = 0; i < trace->n_boundaries; i++) {
        if (trace->boundaries[i].kind != MT_BOUNDARY_MARK || !is_first(trace, i))
            continue;
        if (named == MARKS_NAMED) {
            fputs(", ...", file);
            break;
        }
        fprintf(
            file, "%smark:%s", named ? ", " : "", trace->strings[trace->boundaries[i].name].data);
        named++;
    }
    return named;
}

static void explain_no_mark(const struct trace *trace, const char *name)
{
    char *text = NULL;
    size_t size;
    FILE *file = open_memstream(&text, &size);
    unsigned named = file ? name_marks(file, trace) : 0;
    if (file)
        fclose(file);
    if (named)
        message("%s: no %s in it; there are: %s", trace->path, name, text);
    else
        message("%s: no %s in it, it has no marks; there are start, peak and end, and seconds such "
                "as 12.5 or -30",
            trace->path, name);
    free(text);
}

void explain_moment(const struct trace *trace, const struct moment *moment,
    const struct instant *instant, enum moment_error error)
{
    switch (error) {
    case MOMENT_NO_MARK:
        explain_no_mark(trace, moment->name);
        break;
    case MOMENT_FEW_MARKS:
        message("%s: no %s in it: of that name there %s %u", trace->path, moment->name,
            instant->marks == 1 ? "is" : "are", instant->marks);
        break;
    case MOMENT_NO_CLOCK:
        message("%s: it does not say when it began: give seconds from its start in place of %s",
            trace->path, moment->name);
        break;
    case MOMENT_NO_LOG:
        message("%s: the events up to then cannot be read: it is a pipe, or damaged", trace->path);
        break;
    case MOMENT_NO_PEAK:
        message(
            "%s: it was cut off before its first peak; `--from start` has everything", trace->path);
        break;
    default:
        message(
            "%s: no boundary was written yet, so there is only start, peak and end", trace->path);
        break;
    }
}

void explain_view(const struct report *report, const struct view *view, enum view_error error)
{
    const struct view_options *options = &report->options.view;
    const char *path = report->trace.path;
    char from[FORMAT_SIZE], to[FORMAT_SIZE];
    switch (error) {
    case VIEW_NO_PROCESS:
        message("%s: no such process in it; `--key process` lists them", path);
        break;
    case VIEW_NO_MOMENT:
        explain_moment(&report->trace, &options->moment, &view->at, view->error);
        break;
    case VIEW_NO_START:
        explain_moment(&report->trace, &options->from, &view->from, view->error);
        break;
    default:
        message("%s: the interval ends (%s, %s) before it begins (%s, %s)", path,
            options->moment.name, time_beside(to, view->state.time_us, view->from.time_us),
            options->from.name, time_beside(from, view->from.time_us, view->state.time_us));
        break;
    }
}

void explain_empty(const struct view *view)
{
    const struct filter *filter = &view->options->filter;
    if (view->total.size || view->total.count || !view->excluded.count)
        return;
    for (size_t i = 0; i < filter->n_patterns; i++)
        if (!filter->patterns[i].exclude)
            message("--include '%s': no block; patterns are for whole paths, and case counts%s",
                filter->patterns[i].pattern,
                *filter->patterns[i].pattern == '*' ? "" : "; begin with '*/'");
    for (size_t i = 0; i < filter->n_threads; i++)
        message(
            "nothing was allocated by thread '%s'; `--key thread` lists them", filter->threads[i]);
}
