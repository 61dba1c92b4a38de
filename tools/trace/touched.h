/*
 * What of large blocks and maps had no page at a moment: memory that the program
 * asked for and did not touch.
 */
#ifndef TRACE_TOUCHED_H
#define TRACE_TOUCHED_H

#include "trace/arena.h"
#include "trace/model.h"
#include "trace/moment.h"

/* Bytes by site, of the processes selected at an instant whose state has this time; NULL if nobody
   looked.  The memory is the arena's. */
int64_t *touched_find(const struct trace *trace, const struct instant *at, uint64_t time_us,
    const bool *selected, struct arena *arena);
/* The most of any process at any time. */
uint64_t touched_most(const struct trace *trace);
/* How many processes' pages could not be looked at. */
size_t touched_unknown(const struct trace *trace);

#endif
