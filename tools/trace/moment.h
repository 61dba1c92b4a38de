/*
 * Moments of a trace and its state at one: how much every site holds.
 */
#ifndef TRACE_MOMENT_H
#define TRACE_MOMENT_H

#include <stdbool.h>

#include "trace/arena.h"
#include "trace/model.h"

enum moment_kind { MOMENT_START, MOMENT_PEAK, MOMENT_END };

struct moment {
    enum moment_kind kind;
    const char *name; /* as reports print it */
};

/* Reads what --at was given; false if it is no moment. */
bool moment_parse(struct moment *moment, const char *text);
/* The moments that there are, for messages. */
const char *moment_choices(void);

struct cell {
    int64_t bytes, blocks, allocated_bytes, allocations;
};

struct state {
    struct cell *cells; /* by site */
    uint64_t time_us;
    bool nearest; /* the moment was not recorded: this is the boundary with the most */
};

/* The state of the processes selected (by id), each at its own moment where that has a meaning.
   Sites of other processes stay zero.  The memory is the arena's. */
void state_at(struct state *state, const struct trace *trace, struct moment moment,
    const bool *selected, struct arena *arena);

/* The peak of the processes selected: of one, its own; else that of the sum.  May not be there. */
const struct trace_peak *moment_peak(const struct trace *trace, const bool *selected);

/* True for what counts as live memory of the program: not mappings, not arenas. */
bool domain_is_live(int domain);
bool domain_is_python(int domain);

#endif
