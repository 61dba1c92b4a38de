/*
 * Telling programs from the helpers around them (processes.h).  Runs in reports.
 */
#include "trace/processes.h"

#define SMALL (1u << 20)

static uint64_t most_held(const struct trace *trace, uint32_t id)
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
    return process->traced == MT_PYTHON_NONE && most_held(trace, id) < SMALL;
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
