/*
 * Events to be written (eventlog.h).  In the collector; what is done to them
 * beside keeping them is done when they are written.
 */
#include "collect/eventlog.h"

#include "collect/memory.h"

static void append(struct eventlog *log, const struct log_event *event)
{
    log->events = memory_grow(log->events, &log->capacity, log->count + 1, sizeof(*log->events));
    log->events[log->count] = *event;
    log->count++;
}

void eventlog_add(struct eventlog *log, const struct accounts *accounts, enum log_kind kind,
    const struct block *block, uint32_t thread, uint64_t time_us)
{
    const struct cell *cell = &accounts->cells[accounts_standing(accounts, block->cell)];
    struct log_event event = {.time_us = time_us,
        .address = block->address,
        .size = block->size,
        .site = cell->site_id,
        .thread = thread,
        .birth = cell->birth,
        .kind = kind};
    append(log, &event);
}

void eventlog_over(struct eventlog *log, uint64_t time_us)
{
    struct log_event event = {.time_us = time_us, .kind = LOG_OVER};
    append(log, &event);
}

void eventlog_free(struct eventlog *log)
{
    if (log) {
        memory_free(log->events);
        memory_free(log);
    }
}
