/*
 * What the sampling hooks share.  In the host, in the calls of an allocator that
 * are about a sample.
 */
#ifndef AGENT_SAMPLED_H
#define AGENT_SAMPLED_H

#include "python.h"
#include "sample.h"
#include "trace.h"

/* A call of ours under way: what the allocator below calls on its own is no block of its own. */
static inline bool sampled_is_outermost(void)
{
    return __builtin_expect(thread_self.depth == 0, 1);
}

static inline void sampled_guard(enum below below)
{
    thread_self.depth = 1;
    thread_self.below = below;
    atomic_signal_fence(memory_order_seq_cst);
}

static inline void sampled_unguard(void)
{
    atomic_signal_fence(memory_order_seq_cst);
    thread_self.below = BELOW_NOTHING;
    thread_self.depth = 0;
}

/* Between trace_enter and trace_leave, before anything that is recorded: the moment "end" is before
   the first of these after the interpreter has begun to finalize. */
static inline void sampled_note_end(void)
{
    if (__builtin_expect(*python.finalizing != 0, 0)) {
        trace_end();
    }
}

/* Of a block that was not tried yet: true if it is a sample. */
static inline bool sampled_is_hit(size_t size)
{
    return (!size || !sample_passes(size)) && sample_draw(size);
}

/* Notes a new sample (not NULL) between trace_enter and trace_leave: true if it is to be recorded.
 */
bool sampled_keep(const void *address);
/* A block is about to be freed that may be a sample.  From anywhere, a signal handler too. */
void sampled_release(const void *address);
/* The end of a move between trace_enter and trace_leave.  was: the old block is a sample, and
   trace_move_begin said so.  True if the new one (NULL: the old one stays) is a sample, which
   remains to be recorded, as the end of the move if that was begun. */
bool sampled_move(const void *old, bool was, const void *address, bool is_hit);

#endif
