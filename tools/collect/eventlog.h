/*
 * What a process did since the log was last written, in a session that keeps every
 * event (--full).  In the collector, for every event.
 */
#ifndef COLLECT_EVENTLOG_H
#define COLLECT_EVENTLOG_H

#include "collect/accounts.h"
#include "collect/heapmap.h"
#include "trace/log.h"

struct eventlog {
    struct log_event *events;
    size_t count, capacity;
    uint64_t writing; /* number of the chunk that it is being written to, plus 1; 0: it is not */
};

/* How many more events it takes: it must be written before it is full. */
static inline size_t eventlog_room(const struct eventlog *log)
{
    return log->count < LOG_EVENTS ? LOG_EVENTS - log->count : 0;
}

/* A block (or a mapping) of a cell begins or ends. */
void eventlog_add(struct eventlog *log, const struct accounts *accounts, enum log_kind kind,
    const struct block *block, uint32_t thread, uint64_t time_us);
/* The process is over. */
void eventlog_over(struct eventlog *log, uint64_t time_us);
void eventlog_free(struct eventlog *log);

#endif
