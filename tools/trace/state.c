/*
 * Adds boundaries up to a moment.  Runs in reports; the only place that knows how
 * a trace says what was live when.
 */
#include "trace/state.h"

#include "trace/logs.h"

bool domain_is_python(int domain)
{
    return domain == MT_DOMAIN_RAW || domain == MT_DOMAIN_MEM || domain == MT_DOMAIN_OBJ;
}

bool domain_is_mapped(int domain)
{
    return domain == MT_DOMAIN_MMAP || domain == MT_DOMAIN_FILE;
}

bool domain_is_live(int domain)
{
    return domain_is_python(domain) || domain == MT_DOMAIN_MALLOC;
}

/* While a state is added up. */
struct adder {
    struct state *state;
    const struct trace *trace;
    const bool *selected;
    uint32_t since;
    size_t *limits; /* by process: how many boundaries count */
};

/* Hostile traces may overflow: then the sum wraps. */
static void add(int64_t *sum, int64_t change)
{
    *sum = (int64_t)((uint64_t)*sum + (uint64_t)change);
}

static void add_row(
    struct adder *adder, const struct trace_row *row, const struct trace_spread *spread)
{
    struct cell *cell = &adder->state->cells[row->site];
    if (row->birth < adder->since)
        return;
    add(&cell->bytes, row->bytes);
    add(&cell->blocks, row->blocks);
    add(&cell->allocated_bytes, row->allocated_bytes);
    add(&cell->allocations, row->allocations);
    if (!spread)
        return;
    add(&cell->spread, spread->live);
    add(&cell->allocated_spread, spread->allocated);
}

/* Adds the rows of the processes for which boundary `i` is before their limit. */
static void add_boundary(struct adder *adder, size_t i)
{
    const struct trace_boundary *boundary = &adder->trace->boundaries[i];
    for (size_t k = 0; k < boundary->count; k++) {
        const struct trace_row *row = &boundary->rows[k];
        if (i < adder->limits[adder->trace->sites[row->site].process])
            add_row(adder, row, boundary->spreads ? &boundary->spreads[k] : NULL);
    }
}

static void sum_up(struct adder *adder)
{
    const struct trace *trace = adder->trace;
    for (size_t i = 0; i < trace->n_boundaries; i++)
        add_boundary(adder, i);
    for (size_t p = 1; p < trace->n_processes; p++) {
        if (!adder->selected[p] || !adder->limits[p])
            continue;
        uint64_t time = trace->boundaries[adder->limits[p] - 1].time_us;
        if (time > adder->state->time_us)
            adder->state->time_us = time;
    }
}

static void set_limits(struct adder *adder, size_t limit)
{
    for (size_t p = 1; p < adder->trace->n_processes; p++)
        adder->limits[p] = adder->selected[p] ? limit : 0;
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
        if (!boundary->dropped && (live > most || !best)) {
            most = live;
            best = i + 1;
        }
    }
    return best;
}

static void add_peak(struct adder *adder)
{
    const struct trace *trace = adder->trace;
    const struct trace_peak *peak = moment_peak(trace, adder->selected);
    adder->state->nearest = !peak->present;
    set_limits(adder, peak->present ? peak->after : highest_boundary(trace, adder->selected));
    sum_up(adder);
    if (!peak->present)
        return;
    for (size_t k = 0; k < peak->count; k++)
        if (adder->selected[trace->sites[peak->rows[k].site].process])
            add_row(adder, &peak->rows[k], peak->spreads ? &peak->spreads[k] : NULL);
    adder->state->time_us = peak->time_us;
}

void state_at(struct state *state, const struct trace *trace, const struct instant *instant,
    uint32_t since, const bool *selected, struct arena *arena)
{
    struct adder adder = {state, trace, selected, since, NULL};
    adder.limits = arena_need(arena, trace->n_processes * sizeof *adder.limits);
    *state = (struct state){.cells = arena_need(arena, trace->n_sites * sizeof *state->cells),
        .limits = adder.limits};
    switch (instant->kind) {
    case MOMENT_START:
        break;
    case MOMENT_PEAK:
        add_peak(&adder);
        break;
    case MOMENT_END:
        moment_ends(trace, adder.limits);
        for (uint32_t p = 1; p < trace->n_processes; p++)
            adder.limits[p] = selected[p] ? adder.limits[p] : 0;
        sum_up(&adder);
        break;
    default:
        set_limits(&adder, instant->limit);
        sum_up(&adder);
        state->time_us = instant->time_us;
        state->no_log = instant->from_log &&
                        !logs_add(state, trace, instant->limit, instant->time_us, since, selected);
        break;
    }
}
