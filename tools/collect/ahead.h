/*
 * Where the map and the cells have what the next events of a ring are about: fetched before an
 * event is taken, so that it waits for no memory, and looked up only once.  In the collector, for
 * maps that are larger than a cache.
 *
 * It is right until the map's tables or the ring's sites move (ahead_check).  Events are known by
 * the place of their first word in the ring.
 */
#ifndef COLLECT_AHEAD_H
#define COLLECT_AHEAD_H

#include <stdbool.h>
#include <stdint.h>

#include "collect/accounts.h"
#include "collect/drain.h"
#include "collect/heapmap.h"

#define AHEAD_WORDS 32u /* that are looked at */
#define AHEAD_PLACES (2 * AHEAD_WORDS)

struct coming {
    struct heapmap_unit *unit;   /* of its block */
    struct heapmap_entry *first; /* where that one's table has it first; NULL: it has no table */
    const uint32_t *cell;        /* where there is the number of its cell, NULL: nowhere */
};

struct lookahead {
    uint64_t until, fetched; /* words of the ring: looked at, and those whose cells are, too */
    uint64_t version;        /* of the map */
    const struct ring_site *sites;
    struct coming events[AHEAD_PLACES];
};

/* Nothing of the ring has been looked at. */
static inline void ahead_begin(struct lookahead *ahead, const struct ring *ring)
{
    ahead->until = ahead->fetched = 0;
    ahead->version = ring->image->blocks.version;
    ahead->sites = ring->sites;
}

/* What was looked at before may not be there any more. */
static inline void ahead_check(struct lookahead *ahead, const struct ring *ring)
{
    if (ahead->version != ring->image->blocks.version || ahead->sites != ring->sites) {
        ahead_begin(ahead, ring);
    }
}

/* What is known of the event at that word, or NULL. */
static inline const struct coming *ahead_of(const struct lookahead *ahead, uint64_t word)
{
    return word < ahead->until ? &ahead->events[word % AHEAD_PLACES] : NULL;
}

/* Looks at the events from the ring's tail on, up to `head` at most. */
void ahead_look(
    struct lookahead *ahead, const struct ring *ring, const struct cell *cells, uint64_t head);

#endif
