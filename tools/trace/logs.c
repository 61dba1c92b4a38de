/*
 * Reading the log (logs.h).  Runs in reports; the file is read a second time, a
 * chunk at a time, so that its size does not matter.
 */
#include "trace/logs.h"

#include <stdlib.h>

#include "trace/table.h"
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

int64_t logs_bytes(const struct trace *trace, const struct log_event *event)
{
    int64_t bytes = weight_of_event(trace, event).bytes;
    return log_begins(event->kind) ? bytes : log_ends(event->kind) ? -bytes : 0;
}

struct trace_row logs_row(const struct trace *trace, const struct log_event *event)
{
    struct trace_row row = {.site = event->site, .birth = event->birth};
    struct weight weight = weight_of_event(trace, event);
    row.bytes = logs_bytes(trace, event);
    if (event->kind == LOG_SPLIT)
        row.blocks = 1;
    else if (log_ends(event->kind) && event->kind != LOG_CUT)
        row.blocks = -weight.blocks;
    else if (log_begins(event->kind)) {
        row.blocks = row.allocations = weight.blocks;
        row.allocated_bytes = weight.bytes;
    }
    return row;
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

bool logs_each(const struct trace *trace, size_t limit, uint64_t until_us, const bool *selected,
    logs_visit *visit, void *context)
{
    struct logs logs = {.trace = trace};
    for (size_t i = 0; i < trace->n_logs && !logs.failed; i++) {
        const struct trace_log *chunk = &trace->logs[i];
        if (!selected[chunk->process] || chunk->first_us > until_us ||
            chunk->after < covered(trace, limit, chunk->process))
            continue;
        const struct log_event *events = logs_read(&logs, chunk);
        for (size_t k = 0; events && k < chunk->count; k++)
            if (events[k].time_us <= until_us)
                visit(context, chunk->process, &events[k]);
    }
    bool good = !logs.failed;
    logs_close(&logs);
    return good;
}

struct adder {
    struct state *state;
    const struct trace *trace;
    uint32_t since;
};

static void add_to_state(void *context, uint32_t process, const struct log_event *event)
{
    const struct adder *adder = context;
    if (event->kind == LOG_OVER)
        end_process(adder->state, adder->trace, process);
    else if (event->birth >= adder->since)
        add_event(adder->state, adder->trace, event);
}

bool logs_add(struct state *state, const struct trace *trace, size_t limit, uint64_t until_us,
    uint32_t since, const bool *selected)
{
    struct adder adder = {state, trace, since};
    return logs_each(trace, limit, until_us, selected, add_to_state, &adder);
}

/* ---- blocks that are too old ---- */

struct early {
    struct table known; /* 1 + index of the block that is, or was, at an address of a process */
    struct early_block {
        uint32_t process, site;
        bool lives;
        struct weight weight;
    } * blocks;
    size_t count, capacity;
};

static uint64_t place_of(uint32_t process, uint64_t address)
{
    return (uint64_t)process << 44 | address >> 3;
}

static void begin_early(
    struct early *early, uint32_t process, const struct log_event *event, struct weight weight)
{
    uint32_t *known = table_at(&early->known, place_of(process, event->address));
    if (!*known) {
        if (early->count == early->capacity) {
            early->capacity = early->capacity ? early->capacity * 2 : 1024;
            early->blocks = reallocarray(early->blocks, early->capacity, sizeof *early->blocks);
            if (!early->blocks)
                abort();
        }
        *known = (uint32_t)++early->count;
    }
    early->blocks[*known - 1] = (struct early_block){process, event->site, true, weight};
}

/* A piece of a mapping has no address: what is cut from an early one is not taken from it. */
static void end_early(struct early *early, uint32_t process, const struct log_event *event)
{
    uint32_t known = table_get(&early->known, place_of(process, event->address));
    if (known && event->kind != LOG_CUT && event->kind != LOG_SPLIT)
        early->blocks[known - 1].lives = false;
}

static void follow_early(struct early *early, struct state *state, const struct trace *trace,
    uint32_t process, const struct log_event *event, uint32_t since, uint64_t from_us)
{
    if (event->kind == LOG_OVER) {
        for (size_t i = 0; i < early->count; i++)
            early->blocks[i].lives &= early->blocks[i].process != process;
    } else if (log_ends(event->kind)) {
        end_early(early, process, event);
    } else if (event->birth >= since && event->time_us <= from_us) {
        struct weight weight = weight_of_event(trace, event);
        struct cell *cell = &state->cells[event->site];
        begin_early(early, process, event, weight);
        add(&cell->allocated_bytes, -weight.bytes);
        add(&cell->allocations, -weight.blocks);
        add(&cell->allocated_spread, -weight.spread);
    } else { /* another one is there now */
        end_early(early, process, event);
    }
}

bool logs_take_early(struct state *state, const struct trace *trace, uint64_t until_us,
    uint32_t since, uint64_t from_us)
{
    struct logs logs = {.trace = trace};
    struct early early = {0};
    for (size_t i = 0; i < trace->n_logs && !logs.failed; i++) {
        const struct trace_log *chunk = &trace->logs[i];
        size_t limit = state->limits[chunk->process];
        bool whole = chunk->after < covered(trace, limit, chunk->process);
        if (!limit || chunk->after < since || (!whole && chunk->first_us > until_us))
            continue;
        const struct log_event *events = logs_read(&logs, chunk);
        for (size_t k = 0; events && k < chunk->count; k++)
            if (whole || events[k].time_us <= until_us)
                follow_early(&early, state, trace, chunk->process, &events[k], since, from_us);
    }
    for (size_t i = 0; i < early.count; i++)
        if (early.blocks[i].lives)
            add_weight(&state->cells[early.blocks[i].site], &early.blocks[i].weight, -1,
                -early.blocks[i].weight.blocks);
    table_free(&early.known);
    free(early.blocks);
    bool good = !logs.failed;
    logs_close(&logs);
    return good;
}
