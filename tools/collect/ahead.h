/*
 * The events to come: where the live map has their blocks is fetched before they are taken, where
 * it is too large to be in a cache as it is.  In the collector.
 *
 * What is read here may be no event, for who writes a ring can do so at any time: nothing is done
 * with it but to fetch, which cannot fail.
 */
#ifndef COLLECT_AHEAD_H
#define COLLECT_AHEAD_H

#include <stdint.h>

#include "collect/drain.h"
#include "collect/heapmap_probe.h"

#define AHEAD_EVENTS 12u /* so many events before it is taken */

/* How many words an operation has, and which of them holds the address of its block.  No words:
   more than the operation tells.  Those without an address have any number there. */
extern const struct ahead_shape {
    uint8_t words, address;
} ahead_shapes[16];

/* Looks at the event at that word, which there is, and returns the next one's. */
static inline __attribute__((always_inline)) uint64_t ahead_look(
    const struct ring *ring, const struct heapmap *map, uint64_t at)
{
    const uint64_t *words = &ring->words[at & ring->mask];
    struct ahead_shape shape = ahead_shapes[words[0] & 15];
    uint64_t key = words[shape.address];
    const struct heapmap_unit *unit =
        &map->units[heapmap_unit_first(map->capacity, heapmap_where(key))];
    __builtin_prefetch(heapmap_first(unit, heapmap_tag(key)));
    return at + shape.words;
}

/* Looks at the first ones from `at` on that have not been looked at, which is returned; there are
   words up to `head`. */
static inline uint64_t ahead_begin(
    const struct ring *ring, const struct heapmap *map, uint64_t at, uint64_t head)
{
    at = at > ring->tail ? at : ring->tail;
    for (uint64_t end = ring->tail + AHEAD_EVENTS; at < end && at + 1 < head;) {
        uint64_t next = ahead_look(ring, map, at);
        if (next == at) {
            break;
        }
        at = next;
    }
    return at;
}

#endif
