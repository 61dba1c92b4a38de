/*
 * Reading the log (logs.h).  Runs in reports; the file is read a second time, a
 * chunk at a time, so that its size does not matter.
 */
#include "trace/logs.h"

#include <stdlib.h>

#include "trace/weight.h"

/* ---- events ---- */

static bool open_again(struct logs *logs)
{
    if (!logs->is_open) {
        logs->is_open = true;
        logs->failed = chunk_open(&logs->file, logs->trace->path) != TRACE_OK;
        logs->events = calloc(LOG_EVENTS, sizeof *logs->events);
        if (!logs->events)
            abort();
    }
    return !logs->failed;
}

/* A birth as it is in the rows; ids that can be looked up. */
static bool settle(
    const struct trace *trace, const struct trace_log *chunk, struct log_event *event)
{
    size_t birth = event->birth;
    if (log_begins(event->kind) || event->is_local) { /* since the boundary before */
        birth = chunk->after;
        birth -= birth != 0;
    }
    if (event->site >= trace->n_sites || event->thread >= trace->n_threads ||
        birth > trace->n_boundaries || (!event->site && event->kind != LOG_OVER) ||
        (event->site && trace->sites[event->site].process != chunk->process))
        return false;
    event->birth = trace->retained_before[birth];
    return true;
}

const struct log_event *logs_read(struct logs *logs, const struct trace_log *chunk)
{
    struct log_head head;
    struct cursor body;
    int kind;
    if (!open_again(logs) || !chunk_seek(&logs->file, chunk->at, chunk->sequence) ||
        chunk_next(&logs->file, &kind, &body) != CHUNK_GOOD || kind != MT_CHUNK_LOG) {
        logs->failed = true;
        return NULL;
    }
    log_get_head(&body, &head);
    if (!body.bad)
        log_get(&body, &head, logs->events);
    logs->failed = body.bad || head.count != chunk->count || head.process != chunk->process;
    for (size_t i = 0; i < head.count && !logs->failed; i++)
        logs->failed = !settle(logs->trace, chunk, &logs->events[i]);
    return logs->failed ? NULL : logs->events;
}

void logs_close(struct logs *logs)
{
    if (logs->is_open)
        chunk_close(&logs->file);
    free(logs->events);
    *logs = (struct logs){.trace = logs->trace};
}

/* ---- sums ---- */

static void add(int64_t *sum, int64_t more) /* a hostile one may overflow */
{
    *sum = (int64_t)((uint64_t)*sum + (uint64_t)more);
}

static void add_weight(struct cell *cell, const struct weight *weight, int sign, int64_t blocks)
{
    add(&cell->bytes, sign * weight->bytes);
    add(&cell->blocks, blocks);
    add(&cell->spread, sign * weight->spread);
}

static struct weight weight_of_event(const struct trace *trace, const struct log_event *event)
{
    bool is_map = event->kind >= LOG_MAP;
    return weight_of_block(event->address, event->size, is_map ? 0 : trace->sample_bytes);
}

static void add_event(struct state *state, const struct trace *trace, const struct log_event *event)
{
    struct cell *cell = &state->cells[event->site];
    struct weight weight = weight_of_event(trace, event);
    switch (event->kind) {
    case LOG_CUT:
        add_weight(cell, &weight, -1, 0);
        return;
    case LOG_SPLIT:
        add_weight(cell, &weight, -1, 1);
        return;
    default:
        break;
    }
    if (log_ends(event->kind)) {
        add_weight(cell, &weight, -1, -weight.blocks);
        return;
    }
    add_weight(cell, &weight, 1, weight.blocks);
    add(&cell->allocated_bytes, weight.bytes);
    add(&cell->allocations, weight.blocks);
    add(&cell->allocated_spread, weight.spread);
}

static void end_process(struct state *state, const struct trace *trace, uint32_t process)
{
    for (size_t i = 1; i < trace->n_sites; i++) {
        struct cell *cell = &state->cells[i];
        if (trace->sites[i].process == process)
            cell->bytes = cell->blocks = cell->spread = 0;
    }
}

/* How many boundaries lead to the last one below `limit` that has the process in it. */
static size_t covered(const struct trace *trace, size_t limit, uint32_t process)
{
    while (limit && trace->boundaries[limit - 1].process &&
           trace->boundaries[limit - 1].process != process)
        limit--;
    return limit;
}

bool logs_add(struct state *state, const struct trace *trace, size_t limit, uint64_t until_us,
    uint32_t since, const bool *selected)
{
    struct logs logs = {.trace = trace};
    for (size_t i = 0; i < trace->n_logs && !logs.failed; i++) {
        const struct trace_log *chunk = &trace->logs[i];
        if (!selected[chunk->process] || chunk->first_us > until_us ||
            chunk->after < covered(trace, limit, chunk->process))
            continue;
        const struct log_event *events = logs_read(&logs, chunk);
        for (size_t k = 0; events && k < chunk->count; k++) {
            if (events[k].time_us > until_us)
                continue;
            if (events[k].kind == LOG_OVER)
                end_process(state, trace, chunk->process);
            else if (events[k].birth >= since)
                add_event(state, trace, &events[k]);
        }
    }
    bool good = !logs.failed;
    logs_close(&logs);
    return good;
}
