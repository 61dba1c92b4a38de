/*
 * The state of a trace at a moment: how much every site holds, or how much of it
 * was allocated in an interval.
 */
#ifndef TRACE_STATE_H
#define TRACE_STATE_H

#include <stdbool.h>

#include "trace/arena.h"
#include "trace/model.h"
#include "trace/moment.h"

struct cell {
    int64_t bytes, blocks, allocated_bytes, allocations;
    int64_t spread, allocated_spread; /* weight.h */
};

struct state {
    struct cell *cells; /* by site */
    size_t *limits;     /* by process: how many boundaries are in it */
    uint64_t time_us;
    bool no_log;  /* the events that were asked for cannot be read */
    bool nearest; /* the peak was not recorded: this is the boundary with the most */
};

/* The state of the processes selected (by id) at an instant, each at its own where that has a
   meaning, of what was allocated after the boundary `since` (an ordinal; 0: all).  Sites of other
   processes stay zero.  The memory is the arena's. */
void state_at(struct state *state, const struct trace *trace, const struct instant *instant,
    uint32_t since, const bool *selected, struct arena *arena);

/* True for what counts as live memory of the program: not mappings, not arenas. */
bool domain_is_live(int domain);
bool domain_is_python(int domain);
bool domain_is_mapped(int domain); /* by the program, anonymous or files */

#endif
