/*
 * Telling a signal handler's calls from the allocator's own (nested.h).  In the
 * host, inside malloc, perhaps in a signal handler that interrupted malloc.
 *
 * A program whose handlers call malloc breaks the rules of C, unless its
 * allocator allows it; many do it all the same, and what such a handler frees or
 * leaves behind must be in the accounts.  While a hook is under way there are two
 * states, which the hook itself notes (thread_self.below):
 *
 * The real allocator runs (BELOW_NATIVE, BELOW_PYTHON).  The ring and the caches
 * are in order, so a handler's call is recorded as any other.  But the call may
 * also be the allocator's own, and then it is no event.  The caller's address
 * tells: pymalloc and the layers around it call from the interpreter's code; the C
 * library's allocator calls nothing that we stand before; another allocator
 * calls from its own code; while a block is freed or moved (BELOW_MOVE), only what is done to that
 * block is the allocator's own, the rest is tracemalloc's, which clears its tables there; and where
 * the last thing that an allocator does is to jump to another, the caller seems to be the agent
 * itself.  What is not told apart so: a handler in the code of an interpreter that is part of the
 * executable, inside an interpreter's hook.
 *
 * The agent itself runs (BELOW_NOTHING; signals are blocked while it makes rings).  It calls no
 * allocator, so the call is a handler's; but the ring may be half-way through a record.  The
 * handler's event goes to another ring of this thread, as if another thread had run it: numbers say
 * what came first, and as the interrupted record may have been begun as one without a number, each
 * such event also depends on all that the interrupted ring has published.  That unpublished record
 * cannot be about a block of the handler's: its block is either not freed yet or not given out yet.
 */
#include "nested.h"

#include "elfsym.h"
#include "layers.h"
#include "order.h"
#include "python.h"
#include "ring.h"
#include "session.h"

struct code_range nested_agent;
static struct code_range real; /* of an allocator that calls itself, empty for libc's */
static bool foreign_layers;

static struct code_range range_of(const void *function)
{
    struct code_range range = {0, 0};
    if (function) {
        elfsym_text(function, &range.start, &range.end);
    }
    return range;
}

static bool is_in(struct code_range range, uintptr_t address)
{
    return address - range.start < range.end - range.start;
}

void nested_setup(const void *real_malloc)
{
    nested_agent = range_of((const void *)nested_setup);
    real = range_of(real_malloc);
    if (real.start == range_of(elfsym_find("gnu_get_libc_version")).start) {
        real = (struct code_range){0, 0};
    }
}

bool nested_is_real(const void *caller)
{
    return is_in(real, (uintptr_t)caller);
}

void nested_foreign_layer(void)
{
    foreign_layers = true;
}

static bool is_allocators_own(enum below below, const void *caller)
{
    struct code_range interpreter = {python.text_start, python.text_end};
    uintptr_t address = (uintptr_t)caller;
    return nested_is_agents(address) || is_in(real, address) ||
           (below == BELOW_PYTHON && is_in(interpreter, address)) ||
           (below != BELOW_NATIVE && foreign_layers);
}

bool nested_is_same(const void *address)
{
    uintptr_t block = (uintptr_t)address, known = thread_self.moving;
    return known == block || known == block + LAYERS_DEBUG_BYTES;
}

/* The thread's other ring: whoever finds none here, because a handler interrupted a handler,
   takes one from the pool. */
static struct thread *take_other(void)
{
    struct thread *other = thread_self.other;
    thread_self.other = NULL;
    thread_self.thread = other;
    return other ? other : thread_acquire();
}

static bool switch_rings(struct nested *outer)
{
    if (!outer->thread) {
        return true; /* it was just going to look for a ring: now there will be one */
    }
    order_begin();
    struct thread *thread = take_other();
    uint64_t words[2] = {outer->thread->ring->number,
        atomic_load_explicit(&outer->thread->ring->head, memory_order_relaxed)};
    if (!thread || (!ring_meta(thread, MT_META_DEPEND, 0, 0, words, 2) && !thread->in_gap)) {
        thread_self.thread = outer->thread;
        thread_self.other = thread;
        return false;
    }
    thread->impatient = true;
    outer->switched = true;
    return true;
}

bool nested_enter(struct nested *outer, const void *caller)
{
    *outer = (struct nested){.thread = thread_self.thread, .below = thread_self.below};
    if (!session_live.on || !session.wanted) {
        return false;
    }
    if (outer->below != BELOW_NOTHING) {
        if (is_allocators_own(outer->below, caller)) {
            return false;
        }
        trace_below(BELOW_NOTHING);
        return true;
    }
    return switch_rings(outer);
}

void nested_leave(const struct nested *outer)
{
    if (outer->switched) {
        struct thread *mine = thread_self.thread, *other = thread_self.other;
        if (other && other != mine) {
            thread_give_back(other);
        }
        thread_self.other = mine;
        thread_self.thread = outer->thread;
    }
    trace_below(outer->below);
}
