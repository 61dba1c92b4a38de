/*
 * Telling programs from the helpers around them (processes.h).  Runs in reports.
 */
#include "trace/processes.h"

#include <stdlib.h>
#include <string.h>

#include "trace/moment.h"

#define SMALL (1u << 20)
#define FOLDED_LEAST 4 /* a few are worth a line each */

uint64_t process_most_held(const struct trace *trace, uint32_t id)
{
    const struct trace_timeline *timeline = &trace->timelines[id];
    const struct trace_peak *peak = &trace->peaks[id];
    uint64_t most = peak->present ? peak->python + peak->native : 0;
    for (size_t i = 0; i < timeline->count; i++) {
        const struct trace_sample *sample = &timeline->samples[i];
        uint64_t held = sample->high + sample->mapped;
        most = held > most ? held : most;
    }
    return most;
}

bool process_is_small(const struct trace *trace, uint32_t id)
{
    const struct trace_process *process = &trace->processes[id];
    if (process->ended && process->status == MT_STATUS_EXEC)
        return true;
    return process->traced == MT_PYTHON_NONE && process_most_held(trace, id) < SMALL;
}

uint32_t process_of_interest(const struct trace *trace, const bool *selected)
{
    uint32_t first = 0, first_large = 0;
    for (uint32_t i = 1; i < trace->n_processes; i++) {
        if (selected && !selected[i])
            continue;
        bool small = process_is_small(trace, i);
        if (!small && trace->processes[i].traced != MT_PYTHON_NONE)
            return i;
        if (!first)
            first = i;
        if (!small && !first_large)
            first_large = i;
    }
    return first_large ? first_large : first;
}

size_t processes_fold(const struct trace *trace, const bool *selected, bool *folded)
{
    size_t small = 0;
    for (uint32_t i = 1; i < trace->n_processes; i++) {
        folded[i] = (!selected || selected[i]) && process_is_small(trace, i);
        small += folded[i];
    }
    if (small >= FOLDED_LEAST)
        return small;
    memset(folded, 0, trace->n_processes * sizeof *folded);
    return 0;
}

struct inheritance *processes_inherited(const struct trace *trace)
{
    struct inheritance *all = calloc(trace->n_processes, sizeof *all);
    size_t *ends = calloc(trace->n_processes, sizeof *ends);
    if (!all || !ends)
        abort();
    moment_ends(trace, ends);
    for (size_t i = 0; i < trace->n_boundaries; i++) {
        const struct trace_boundary *boundary = &trace->boundaries[i];
        for (size_t k = 0; k < boundary->count; k++) {
            const struct trace_row *row = &boundary->rows[k];
            const struct trace_site *site = &trace->sites[row->site];
            if (site->domain != MT_DOMAIN_INHERITED || i >= ends[site->process] ||
                trace->processes[site->process].origin != MT_ORIGIN_FORK)
                continue;
            struct inheritance *one = &all[site->process];
            one->bytes += row->allocated_bytes;
            one->blocks += row->allocations;
            one->held_bytes += row->bytes;
            one->held_blocks += row->blocks;
        }
    }
    free(ends);
    return all;
}
