/*
 * Looks at pages, by moment (touched.h).  Runs in views.
 */
#include "trace/touched.h"

#include <stdlib.h>

/* A peak is the instant of an allocation: what was seen so soon after it tells what became of that.
 */
#define AFTER_PEAK_US 250000u

struct finder {
    const struct trace *trace;
    const bool *selected;
    uint64_t *times; /* by process */
    size_t *last;    /* by process: 1 + the last look before its time, 0: none */
    int64_t *bytes;  /* by site */
};

static void set_times(
    struct finder *finder, const struct instant *at, uint64_t time_us, struct arena *arena)
{
    const struct trace *trace = finder->trace;
    size_t *ends = arena_need(arena, trace->n_processes * sizeof *ends);
    if (at->kind == MOMENT_END)
        moment_ends(trace, ends);
    for (size_t p = 1; p < trace->n_processes; p++)
        finder->times[p] = ends[p] ? trace->boundaries[ends[p] - 1].time_us : time_us;
}

static void take(struct finder *finder, const struct trace_look *look)
{
    for (size_t i = 0; i < look->count; i++) {
        const struct trace_untouched *row = &finder->trace->untouched[look->first + i];
        finder->bytes[row->site] = (int64_t)row->bytes;
    }
}

static void take_less(struct finder *finder, const struct trace_look *look)
{
    for (size_t i = 0; i < look->count; i++) {
        const struct trace_untouched *row = &finder->trace->untouched[look->first + i];
        int64_t *bytes = &finder->bytes[row->site];
        if (!*bytes || *bytes > (int64_t)row->bytes)
            *bytes = (int64_t)row->bytes;
    }
}

static bool is_selected(const struct finder *finder, const struct trace_look *look)
{
    return look->known && finder->selected[look->process];
}

int64_t *touched_find(const struct trace *trace, const struct instant *at, uint64_t time_us,
    const bool *selected, struct arena *arena)
{
    struct finder finder = {.trace = trace, .selected = selected};
    if (!trace->n_looks || at->kind == MOMENT_START)
        return NULL;
    finder.times = arena_need(arena, trace->n_processes * sizeof *finder.times);
    finder.last = arena_need(arena, trace->n_processes * sizeof *finder.last);
    finder.bytes = arena_need(arena, trace->n_sites * sizeof *finder.bytes);
    set_times(&finder, at, time_us, arena);
    for (size_t i = 0; i < trace->n_looks; i++) {
        const struct trace_look *look = &trace->looks[i];
        if (is_selected(&finder, look) && look->time_us <= finder.times[look->process])
            finder.last[look->process] = i + 1;
    }
    for (size_t p = 1; p < trace->n_processes; p++)
        if (finder.last[p])
            take(&finder, &trace->looks[finder.last[p] - 1]);
    for (size_t i = 0; i < trace->n_looks && at->kind == MOMENT_PEAK; i++) {
        const struct trace_look *look = &trace->looks[i];
        if (is_selected(&finder, look) && look->time_us > time_us &&
            look->time_us - time_us <= AFTER_PEAK_US)
            take_less(&finder, look);
    }
    return finder.bytes;
}

uint64_t touched_most(const struct trace *trace)
{
    uint64_t most = 0;
    for (size_t i = 0; i < trace->n_looks; i++) {
        uint64_t sum = 0;
        for (size_t k = 0; k < trace->looks[i].count; k++)
            sum += trace->untouched[trace->looks[i].first + k].bytes;
        most = sum > most ? sum : most;
    }
    return most;
}

size_t touched_unknown(const struct trace *trace)
{
    size_t count = 0;
    for (size_t i = 0; i < trace->n_looks; i++)
        count += !trace->looks[i].known;
    return count;
}
