/*
 * Adds boundaries up to a moment.  Runs in reports; the only place that knows how
 * a trace says what was live when.
 */
#include "trace/moment.h"

#include <string.h>

static const struct moment moments[] = {
    {MOMENT_START, "start"},
    {MOMENT_PEAK, "peak"},
    {MOMENT_END, "end"},
};

bool moment_parse(struct moment *moment, const char *text)
{
    for (size_t i = 0; i < sizeof moments / sizeof *moments; i++) {
        if (strcmp(text, moments[i].name) == 0) {
            *moment = moments[i];
            return true;
        }
    }
    return false;
}

const char *moment_choices(void)
{
    return "start, peak, end";
}

bool domain_is_python(int domain)
{
    return domain == MT_DOMAIN_RAW || domain == MT_DOMAIN_MEM || domain == MT_DOMAIN_OBJ;
}

bool domain_is_live(int domain)
{
    return domain_is_python(domain) || domain == MT_DOMAIN_MALLOC;
}

/* Hostile traces may overflow: then the sum wraps. */
static void add(int64_t *sum, int64_t change)
{
    *sum = (int64_t)((uint64_t)*sum + (uint64_t)change);
}

static void add_row(struct cell *cells, const struct trace_row *row)
{
    struct cell *cell = &cells[row->site];
    add(&cell->bytes, row->bytes);
    add(&cell->blocks, row->blocks);
    add(&cell->allocated_bytes, row->allocated_bytes);
    add(&cell->allocations, row->allocations);
}

/* Adds the rows of the processes for which boundary `i` is before their limit. */
static void add_boundary(
    struct state *state, const struct trace *trace, size_t i, const size_t *limits)
{
    const struct trace_boundary *boundary = &trace->boundaries[i];
    for (size_t k = 0; k < boundary->count; k++) {
        const struct trace_row *row = &boundary->rows[k];
        if (i < limits[trace->sites[row->site].process])
            add_row(state->cells, row);
    }
}

/* How many boundaries lead to the process's own end: to its last END, else its last LAST, else
   all that there are. */
static size_t end_of_process(const struct trace *trace, uint32_t process)
{
    size_t last = 0;
    for (size_t i = trace->n_boundaries; i-- > 0;) {
        const struct trace_boundary *boundary = &trace->boundaries[i];
        if (boundary->process != process && boundary->process != 0)
            continue;
        if (boundary->kind == MT_BOUNDARY_END)
            return i + 1;
        if (boundary->kind == MT_BOUNDARY_LAST && !last)
            last = i + 1;
    }
    return last ? last : trace->n_boundaries;
}

static void sum_up(
    struct state *state, const struct trace *trace, const size_t *limits, const bool *selected)
{
    for (size_t i = 0; i < trace->n_boundaries; i++)
        add_boundary(state, trace, i, limits);
    for (size_t p = 1; p < trace->n_processes; p++) {
        if (!selected[p] || !limits[p])
            continue;
        uint64_t time = trace->boundaries[limits[p] - 1].time_us;
        if (time > state->time_us)
            state->time_us = time;
    }
}

static void set_limits(
    size_t *limits, const struct trace *trace, const bool *selected, size_t limit)
{
    for (size_t p = 1; p < trace->n_processes; p++)
        limits[p] = selected[p] ? limit : 0;
}

const struct trace_peak *moment_peak(const struct trace *trace, const bool *selected)
{
    size_t n = 0, one = 0;
    for (size_t p = 1; p < trace->n_processes; p++) {
        if (selected[p]) {
            n++;
            one = p;
        }
    }
    if (n == 1 && trace->peaks[one].present)
        return &trace->peaks[one];
    if (n == 1 && trace->n_processes > 2)
        return &trace->peaks[one]; /* the sum's is another process's moment */
    return &trace->peaks[0];
}

/* The number of boundaries up to the one after which the selected processes hold the most. */
static size_t highest_boundary(const struct trace *trace, const bool *selected)
{
    int64_t live = 0, most = 0;
    size_t best = 0;
    for (size_t i = 0; i < trace->n_boundaries; i++) {
        const struct trace_boundary *boundary = &trace->boundaries[i];
        for (size_t k = 0; k < boundary->count; k++) {
            const struct trace_site *site = &trace->sites[boundary->rows[k].site];
            if (selected[site->process] && domain_is_live(site->domain))
                add(&live, boundary->rows[k].bytes);
        }
        if (live > most || !best) {
            most = live;
            best = i + 1;
        }
    }
    return best;
}

static void state_at_peak(
    struct state *state, const struct trace *trace, size_t *limits, const bool *selected)
{
    const struct trace_peak *peak = moment_peak(trace, selected);
    state->nearest = !peak->present;
    if (!peak->present) {
        set_limits(limits, trace, selected, highest_boundary(trace, selected));
        sum_up(state, trace, limits, selected);
        return;
    }
    set_limits(limits, trace, selected, peak->after);
    sum_up(state, trace, limits, selected);
    for (size_t k = 0; k < peak->count; k++)
        if (selected[trace->sites[peak->rows[k].site].process])
            add_row(state->cells, &peak->rows[k]);
    state->time_us = peak->time_us;
}

void state_at(struct state *state, const struct trace *trace, struct moment moment,
    const bool *selected, struct arena *arena)
{
    size_t *limits = arena_need(arena, trace->n_processes * sizeof *limits);
    *state = (struct state){.cells = arena_need(arena, trace->n_sites * sizeof *state->cells)};
    switch (moment.kind) {
    case MOMENT_START:
        break;
    case MOMENT_PEAK:
        state_at_peak(state, trace, limits, selected);
        break;
    case MOMENT_END:
        for (uint32_t p = 1; p < trace->n_processes; p++)
            limits[p] = selected[p] ? end_of_process(trace, p) : 0;
        sum_up(state, trace, limits, selected);
        break;
    }
}
