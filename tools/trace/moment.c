/*
 * Finds moments among the boundaries of a trace.  Runs in reports.
 */
#include "trace/moment.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "trace/meta.h"

static size_t either(size_t own, size_t all)
{
    return own > all ? own : all;
}

void moment_ends(const struct trace *trace, size_t *ends)
{
    size_t *lasts = calloc(trace->n_processes, sizeof *lasts);
    if (!lasts)
        abort();
    memset(ends, 0, trace->n_processes * sizeof *ends);
    for (size_t i = 0; i < trace->n_boundaries; i++) {
        const struct trace_boundary *boundary = &trace->boundaries[i];
        if (boundary->kind == MT_BOUNDARY_END)
            ends[boundary->process] = i + 1;
        else if (boundary->kind == MT_BOUNDARY_LAST)
            lasts[boundary->process] = i + 1;
    }
    for (size_t p = trace->n_processes; p-- > 0;) { /* 0, which is all, comes last */
        size_t end = either(ends[p], ends[0]), last = either(lasts[p], lasts[0]);
        ends[p] = end ? end : last ? last : trace->n_boundaries;
    }
    free(lasts);
}

size_t moment_end_of(const struct trace *trace, uint32_t process)
{
    size_t *ends = calloc(trace->n_processes, sizeof *ends);
    if (!ends)
        abort();
    moment_ends(trace, ends);
    size_t end = ends[process];
    free(ends);
    return end;
}

/* The process selected if it is only one, else 0. */
static uint32_t only_one(const struct trace *trace, const bool *selected)
{
    uint32_t one = 0;
    for (uint32_t p = 1; p < trace->n_processes; p++) {
        if (selected[p] && one)
            return 0;
        if (selected[p])
            one = p;
    }
    return one;
}

const struct trace_peak *moment_peak(const struct trace *trace, const bool *selected)
{
    uint32_t one = only_one(trace, selected);
    if (one && (trace->peaks[one].present || trace->n_processes > 2))
        return &trace->peaks[one]; /* the sum's is another process's moment */
    return &trace->peaks[0];
}

/* ---- the boundaries that are moments ---- */

struct search {
    const struct trace *trace;
    uint32_t process; /* whose own boundaries count as well, 0: nobody's */
    uint64_t wanted_us;
    bool exact; /* events count, if there are any */
};

/* A boundary of all, or of the only process that is asked for.  What was left at the very last of
   a trace that is complete is after the end, and no moment. */
static bool is_moment(const struct search *search, const struct trace_boundary *boundary)
{
    if (boundary->dropped || (boundary->process && boundary->process != search->process))
        return false;
    return boundary->kind != MT_BOUNDARY_LAST || !search->trace->sealed;
}

static uint64_t distance(uint64_t a, uint64_t b)
{
    return a > b ? a - b : b - a;
}

static enum moment_error take(struct instant *instant, const struct search *search, size_t i)
{
    instant->kind = MOMENT_NOW;
    instant->limit = i + 1;
    instant->time_us = search->trace->boundaries[i].time_us;
    instant->wanted_us = search->wanted_us;
    instant->nearest = instant->time_us != search->wanted_us;
    return MOMENT_OK;
}

/* The time itself, if the log goes as far. */
static bool take_from_log(struct instant *instant, const struct search *search)
{
    const struct trace *trace = search->trace;
    size_t limit = 0;
    if (!search->exact || !trace->n_logs || !trace->n_boundaries ||
        trace->boundaries[trace->n_boundaries - 1].time_us < search->wanted_us)
        return false;
    while (limit < trace->n_boundaries && trace->boundaries[limit].time_us <= search->wanted_us)
        limit++;
    *instant = (struct instant){.kind = MOMENT_NOW,
        .limit = limit,
        .time_us = search->wanted_us,
        .wanted_us = search->wanted_us,
        .from_log = true,
        .mark = instant->mark,
        .marks = instant->marks};
    return true;
}

static enum moment_error take_nearest(struct instant *instant, const struct search *search)
{
    const struct trace *trace = search->trace;
    size_t best = trace->n_boundaries;
    if (take_from_log(instant, search))
        return MOMENT_OK;
    for (size_t i = 0; i < trace->n_boundaries; i++) {
        const struct trace_boundary *boundary = &trace->boundaries[i];
        if (is_moment(search, boundary) &&
            (best == trace->n_boundaries ||
                distance(boundary->time_us, search->wanted_us) <
                    distance(trace->boundaries[best].time_us, search->wanted_us)))
            best = i;
    }
    return best < trace->n_boundaries ? take(instant, search, best) : MOMENT_NO_BOUNDARY;
}

static enum moment_error take_newest(struct instant *instant, struct search *search)
{
    for (size_t i = search->trace->n_boundaries; i-- > 0;) {
        if (is_moment(search, &search->trace->boundaries[i])) {
            search->wanted_us = search->trace->boundaries[i].time_us;
            return take(instant, search, i);
        }
    }
    return MOMENT_NO_BOUNDARY;
}

/* ---- marks ---- */

/* A place that a mark had in a compacted file still has its name. */
static bool is_mark(const struct trace *trace, size_t i, const char *name, size_t size)
{
    const struct trace_boundary *boundary = &trace->boundaries[i];
    const struct trace_string *string = &trace->strings[boundary->name];
    return boundary->name && string->size == size && memcmp(string->data, name, size) == 0 &&
           (boundary->kind == MT_BOUNDARY_MARK || boundary->kind == MT_BOUNDARY_DROPPED);
}

static unsigned count_marks(const struct trace *trace, const char *name, size_t size)
{
    unsigned count = 0;
    for (size_t i = 0; i < trace->n_boundaries; i++)
        count += is_mark(trace, i, name, size);
    return count;
}

static enum moment_error take_mark(
    struct instant *instant, struct search *search, const char *name, size_t size)
{
    const struct trace *trace = search->trace;
    unsigned left = instant->mark;
    size_t i = 0;
    while (!is_mark(trace, i, name, size) || --left)
        i++;
    search->wanted_us = trace->boundaries[i].time_us;
    if (is_moment(search, &trace->boundaries[i]))
        return take(instant, search, i);
    return take_nearest(instant, search);
}

/* A name that has a # in it is looked for as it is first. */
static enum moment_error find_mark(struct instant *instant, struct search *search, const char *name)
{
    const char *hash = strrchr(name, '#');
    size_t size = strlen(name);
    instant->marks = instant->mark = count_marks(search->trace, name, size);
    if (!instant->marks && hash && hash[1] && strspn(hash + 1, "0123456789") == strlen(hash + 1)) {
        unsigned long number = strtoul(hash + 1, NULL, 10);
        size = (size_t)(hash - name);
        instant->marks = count_marks(search->trace, name, size);
        if (instant->marks && (!number || number > instant->marks))
            return MOMENT_FEW_MARKS;
        instant->mark = (unsigned)number;
    }
    return instant->marks ? take_mark(instant, search, name, size) : MOMENT_NO_MARK;
}

/* ---- times ---- */

static uint64_t end_of_selected(const struct trace *trace, const bool *selected)
{
    uint64_t end = 0;
    size_t *ends = calloc(trace->n_processes, sizeof *ends);
    if (!ends)
        abort();
    moment_ends(trace, ends);
    for (uint32_t p = 1; p < trace->n_processes; p++) {
        size_t limit = selected[p] ? ends[p] : 0;
        if (limit && trace->boundaries[limit - 1].time_us > end)
            end = trace->boundaries[limit - 1].time_us;
    }
    free(ends);
    return end;
}

/* Seconds since 1970 of a time of day: on the day of the start, or the next one if that is before
   the start. */
static double on_its_day(double start, double of_day)
{
    time_t began = (time_t)start;
    struct tm day;
    if (!localtime_r(&began, &day))
        return start;
    day.tm_hour = (int)of_day / 3600;
    day.tm_min = (int)of_day / 60 % 60;
    day.tm_sec = 0;
    day.tm_isdst = -1;
    struct tm next = day;
    next.tm_mday++;
    double part = of_day - (int)of_day / 60 * 60, time = (double)mktime(&day) + part;
    return time < floor(start) ? (double)mktime(&next) + part : time;
}

static uint64_t microseconds(double seconds)
{
    return seconds > 0 ? (uint64_t)(seconds * 1e6 + 0.5) : 0;
}

static enum moment_error find_clock(
    struct instant *instant, struct search *search, const struct moment *moment)
{
    struct meta meta;
    meta_read(&meta, search->trace);
    if (!meta.start)
        return MOMENT_NO_CLOCK;
    double time = moment->of_day ? on_its_day(meta.start, moment->seconds) : moment->seconds;
    search->wanted_us = microseconds(time - meta.start);
    return take_nearest(instant, search);
}

static enum moment_error find(struct instant *instant, struct search *search,
    const struct moment *moment, const bool *selected)
{
    uint64_t back = microseconds(moment->seconds), end;
    switch (moment->kind) {
    case MOMENT_MARK:
        return find_mark(instant, search, moment->name + 5);
    case MOMENT_CLOCK:
        return find_clock(instant, search, moment);
    case MOMENT_SECONDS:
        end = end_of_selected(search->trace, selected);
        search->wanted_us = !moment->from_end ? back : back < end ? end - back : 0;
        return take_nearest(instant, search);
    case MOMENT_NOW:
        if (!search->trace->sealed)
            return take_newest(instant, search);
        instant->kind = MOMENT_END;
        return MOMENT_OK;
    default:
        instant->kind = moment->kind;
        return MOMENT_OK;
    }
}

enum moment_error moment_find(struct instant *instant, const struct trace *trace,
    const struct moment *moment, const bool *selected)
{
    struct search search = {
        .trace = trace, .process = only_one(trace, selected), .exact = !moment->retained};
    *instant = (struct instant){0};
    return find(instant, &search, moment, selected);
}

enum moment_error moment_find_start(struct instant *instant, const struct trace *trace,
    const struct moment *moment, const bool *selected)
{
    struct search search = {.trace = trace, .exact = !moment->retained};
    *instant = (struct instant){0};
    enum moment_error error = find(instant, &search, moment, selected);
    if (error != MOMENT_OK || (instant->kind != MOMENT_PEAK && instant->kind != MOMENT_END))
        return error;
    if (instant->kind == MOMENT_PEAK && !moment_peak(trace, selected)->present)
        return MOMENT_NO_PEAK;
    search.wanted_us = instant->kind == MOMENT_PEAK ? moment_peak(trace, selected)->time_us
                                                    : end_of_selected(trace, selected);
    return take_nearest(instant, &search);
}
