/*
 * Calls of the allocator while a hook of this thread is under way: the allocator
 * itself calling on, or a signal handler that interrupted it.
 */
#ifndef AGENT_NESTED_H
#define AGENT_NESTED_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "thread.h"
#include "trace.h"

/* What a hook has to do with a call. */
enum entry {
    ENTRY_NONE,      /* forward it, no more */
    ENTRY_OUTERMOST, /* record it */
    ENTRY_NESTED     /* record it: a signal handler's */
};

/* What was going on when a handler's call came. */
struct nested {
    struct thread *thread;
    enum below below;
    bool switched;
};

struct code_range {
    uintptr_t start, end;
};
extern struct code_range nested_agent __attribute__((visibility("hidden"))); /* our own code */

/* True if the nested call that `caller` made is an event of its own; `outer` keeps what it
   interrupted until nested_leave. */
bool nested_enter(struct nested *outer, const void *caller);
void nested_leave(const struct nested *outer);
/* True if the hook under way (BELOW_MOVE) frees or moves this very block. */
bool nested_is_same(const void *address);
/* True if this is in the code of an allocator that may call others, which the C library's does not.
 */
bool nested_is_real(const void *caller);
/* Finds what it needs to know of the real malloc. */
void nested_setup(const void *real_malloc);
/* An allocator below the interpreter's hooks is not the interpreter's own. */
void nested_foreign_layer(void);

/* An allocator's last jump to another looks as if we had called. */
static inline bool nested_is_agents(uintptr_t caller)
{
    return caller - nested_agent.start < nested_agent.end - nested_agent.start;
}

static inline enum entry nested_or_outermost(struct nested *outer, const void *caller)
{
    if (trace_enter()) {
        return ENTRY_OUTERMOST;
    }
    if (thread_self.depth == 0 || !nested_enter(outer, caller)) {
        return ENTRY_NONE;
    }
    return ENTRY_NESTED;
}

static inline void nested_or_outermost_leave(enum entry entry, const struct nested *outer)
{
    if (__builtin_expect(entry == ENTRY_NESTED, 0)) {
        nested_leave(outer);
    } else {
        trace_leave();
    }
}

#endif
