/*
 * The events of a trace that keeps them all: one after the other, or what they add
 * up to between a boundary and a time.
 */
#ifndef TRACE_LOGS_H
#define TRACE_LOGS_H

#include "trace/chunk.h"
#include "trace/log.h"
#include "trace/model.h"
#include "trace/state.h"

struct logs { /* zeroed but for the trace */
    const struct trace *trace;
    struct chunk_file file;
    bool is_open,
        failed; /* the file is not what it was when it was read, or cannot be read again */
    struct log_event *events;
};

/* The events of one chunk of the log, births settled; NULL once it has failed. */
const struct log_event *logs_read(struct logs *logs, const struct trace_log *chunk);
void logs_close(struct logs *logs);
/* What an event adds to the bytes that its site holds, or takes; 0 of OVER. */
int64_t logs_bytes(const struct trace *trace, const struct log_event *event);

/* What an event changes of its site's row; nothing of OVER. */
struct trace_row logs_row(const struct trace *trace, const struct log_event *event);

/* Calls `visit` for what the selected processes did up to a time, but for what is in the boundaries
   below `limit`; OVER is of the process `process`.  False if it failed. */
typedef void logs_visit(void *context, uint32_t process, const struct log_event *event);
bool logs_each(const struct trace *trace, size_t limit, uint64_t until_us, const bool *selected,
    logs_visit *visit, void *context);

/* Adds to a state, which is of the boundaries below `limit`, what the selected processes did up to
   a time: only of what was born at or after the boundary `since`.  False if it failed. */
bool logs_add(struct state *state, const struct trace *trace, size_t limit, uint64_t until_us,
    uint32_t since, const bool *selected);

/* Takes from a state, which has what was born at or after the boundary `since`, what of that was
   born up to `from_us`.  `until_us` is the time of the state, 0 if it is of boundaries alone.  False
   if it failed. */
bool logs_take_early(struct state *state, const struct trace *trace, uint64_t until_us,
    uint32_t since, uint64_t from_us);

#endif
