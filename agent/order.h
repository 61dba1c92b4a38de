/*
 * Numbers that order events across threads (include/memtrace/ring.h).  In the host.
 */
#ifndef AGENT_ORDER_H
#define AGENT_ORDER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "session.h"

struct order_counter {
    _Alignas(64) _Atomic uint64_t next;
};
extern struct order_counter order_counters[MT_COUNTERS] __attribute__((visibility("hidden")));

extern const char order_never_single __attribute__((visibility("hidden")));

/* Events need numbers from now on. */
static inline void order_begin(void)
{
    atomic_store_explicit(&session.single, &order_never_single, memory_order_relaxed);
}

/* True once the process has ever had a second thread: from then on events need numbers.
   libc clears its flag before a new thread runs, so no event can be between the two. */
static inline __attribute__((always_inline)) bool order_needed(void)
{
    const char *single = atomic_load_explicit(&session.single, memory_order_relaxed);
    if (__builtin_expect(*single != 0, 1)) {
        return false;
    }
    if (__builtin_expect(single != &order_never_single, 0)) {
        order_begin();
    }
    return true;
}

/* The same where the answer is at hand; false, and nothing has changed, where it is not. */
static inline __attribute__((always_inline)) bool order_known(bool *needed)
{
    const char *single = atomic_load_explicit(&session.single, memory_order_relaxed);
    if (__builtin_expect(*single != 0, 1)) {
        *needed = false;
        return true;
    }
    *needed = true;
    return single == &order_never_single;
}

/* Room for the event must be reserved before: a thread that held a number and waited for the
   collector would wait for ever. */
static inline uint32_t order_take(uint64_t address)
{
    return (uint32_t)atomic_fetch_add(&order_counters[mt_counter_of(address)].next, 1);
}

static inline uint64_t order_take_map(void)
{
    return atomic_fetch_add(&order_counters[MT_MAP_COUNTER].next, 1);
}

/* At the start, and in a forked child, which has one thread: numbers start anew. */
void order_restart(void);

#endif
