/*
 * The producer's end of a ring (include/memtrace/ring.h).  Runs in the host.
 */
#ifndef AGENT_RING_H
#define AGENT_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "thread.h"

/* Makes a ring file in the session and maps it for the thread; false if there is no room for
   it (slots, shared memory, descriptors). */
bool ring_create(struct thread *thread);
void ring_destroy(struct thread *thread);
/* As many rings as slots. */
bool ring_is_full(struct mt_control *control);

/* Where the next `count` words go; waits for the collector where there is no room.  NULL when
   tracing was turned off meanwhile, or when the collector has stood still for too long: from then
   on, until ring_lost says that the gap is over, nothing is waited for.  Nothing is visible before ring_publish. */
static inline uint64_t *ring_reserve(struct thread *thread, uint64_t count);
static inline void ring_publish(struct thread *thread, uint64_t count);

/* Appends bytes to the ring's scratch text. */
bool ring_text(struct thread *thread, const void *bytes, size_t size);
/* Appends a META record and the words that follow it. */
bool ring_meta(struct thread *thread, enum mt_meta meta, uint32_t a, uint32_t b,
    const uint64_t *words, size_t count);

/* An event found no room.  Counts it if that is a gap; true if the gap is over: what the ring
   defined before is void. */
bool ring_lost(struct thread *thread, uint64_t bytes);

/* Slow path of ring_reserve: false when tracing is off, and in a gap. */
bool ring_wait(struct thread *thread, uint64_t count);

static inline uint64_t *ring_reserve(struct thread *thread, uint64_t count)
{
    if (__builtin_expect(thread->head + count > thread->limit, 0) && !ring_wait(thread, count)) {
        return NULL;
    }
    return &thread->words[thread->head & thread->mask];
}

static inline void ring_publish(struct thread *thread, uint64_t count)
{
    thread->head += count;
    atomic_store_explicit(&thread->ring->head, thread->head, memory_order_release);
}

#endif
