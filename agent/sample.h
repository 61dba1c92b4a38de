/*
 * Sampling: which blocks are recorded, and which of those that are freed were.
 * In the host, in every call of an allocator.
 *
 * Every thread draws how many bytes it may allocate before the next sample, from
 * an exponential distribution around the session's interval.  A block is a sample
 * if that point lies in it, with a probability of 1 - exp(-size / interval)
 * whatever came before.  A block of no bytes counts as one byte.
 */
#ifndef AGENT_SAMPLE_H
#define AGENT_SAMPLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "thread.h"

#define SAMPLE_FILTER 65536u

/* How many of the samples that live have their address here: of all others a free costs this one
   look.  A count that has come to its end stays there. */
extern _Atomic uint8_t sample_filter[SAMPLE_FILTER] __attribute__((visibility("hidden")));

static inline _Atomic uint8_t *sample_count(const void *address)
{
    return &sample_filter[(uintptr_t)address / 16 % SAMPLE_FILTER];
}

/* False if the block at this address (or NULL) is certainly no sample. */
static inline bool sample_may_be(const void *address)
{
    return __builtin_expect(
        atomic_load_explicit(sample_count(address), memory_order_relaxed) != 0, 0);
}

/* True if this block of one byte or more is none, and counted as that.  Of others sample_draw
   knows. */
static inline bool sample_passes(size_t size)
{
    uint64_t gap = thread_self.gap;
    if (__builtin_expect(size - 1 >= gap, 0)) {
        return false;
    }
    thread_self.gap = gap - size;
    return true;
}

/* A block that was not passed: true if it is a sample. */
bool sample_draw(size_t size);
/* Notes the address of a sample; false if there is no room for another one. */
bool sample_note(const void *address);
/* Forgets it; false if there is none. */
bool sample_take(const void *address);
/* In a forked child: it draws on its own. */
void sample_forked(void);

#endif
