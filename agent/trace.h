/*
 * From an allocator's call to an event in the ring.  In the host, inside malloc.
 *
 * A hook asks trace_enter; if that says no it only forwards.  Otherwise it
 * writes a free before the real free and an allocation after the real
 * allocation, a move around the real realloc, and calls trace_leave.  Nothing
 * here changes errno.
 */
#ifndef AGENT_TRACE_H
#define AGENT_TRACE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "memtrace/ring.h"
#include "native.h"
#include "session.h"
#include "thread.h"

/* Out of line: the first event of an image, or of a child whose fork went unseen. */
bool trace_first(void);

/* True for the outermost call of a thread while events are recorded. */
static inline bool trace_enter(void)
{
    if (thread_self.depth != 0) {
        return false;
    }
    if (__builtin_expect(!session_live.on, 0) && !trace_first()) {
        return false;
    }
    thread_self.depth = 1;
    atomic_signal_fence(memory_order_seq_cst);
    return true;
}

static inline void trace_leave(void)
{
    atomic_signal_fence(memory_order_seq_cst);
    thread_self.depth = 0;
}

/* Around each call of what a hook stands before: what a signal handler allocates meanwhile is
   an event (nested.c). */
static inline void trace_below(enum below below)
{
    atomic_signal_fence(memory_order_seq_cst);
    thread_self.below = below;
    atomic_signal_fence(memory_order_seq_cst);
}

/* address may be NULL: a failed allocation is no event, nor is the free of NULL. */
void trace_alloc(const void *address, size_t size, enum mt_domain domain);
void trace_free(const void *address);
/* The old block may be NULL (an allocation). */
void trace_move_begin(const void *old);
/* `address` is what realloc returned; where it is NULL the old block stays. */
void trace_move_end(
    const void *old, const void *address, size_t size, enum mt_domain domain);
/* What the block has become is not recorded. */
void trace_move_gone(void);

/* The same for the malloc family: with who called it. */
void trace_native_alloc(const void *address, size_t size, struct caller caller);
void trace_native_move_end(
    const void *old, const void *address, size_t size, struct caller caller);
/* Without a caller for arenas. */
void trace_map(
    const void *address, size_t size, enum mt_map_flags flags, const struct caller *caller);
/* Flags: MT_MAP_MOVED before an mremap, else 0. */
void trace_unmap(const void *address, size_t size, enum mt_map_flags flags);
/* Writes the time if it has moved; false when tracing is off. */
bool trace_time(struct thread *thread);
/* This thread is about to fork. */
void trace_fork(void);
/* The interpreter has begun to finalize. */
void trace_end(void);
/* In a forked child: its end is still to come. */
void trace_forked(void);

#endif
