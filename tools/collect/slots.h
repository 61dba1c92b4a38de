/*
 * What the tables of the live map (heapmap.h) are made of.  In the collector.
 *
 * Tables have one of a few capacities; those that are given back are used again for a table of the
 * same capacity.  Whoever is killed in the middle of it has lost a table, no more.
 */
#ifndef COLLECT_SLOTS_H
#define COLLECT_SLOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A block, or where one was. */
struct heapmap_entry {
    uint32_t tag;  /* where in its unit, and its stamp (heapmap_probe.h); 0: never used */
    uint32_t size; /* from HEAPMAP_LARGE on: that, plus the place in `large` */
    uint32_t cell; /* 0: no block is there */
};

#define SLOTS_CLASSES 21u
#define SLOTS_MOST 2048u /* of a table */

struct slots {            /* zeroed is empty */
    struct chunk *chunks; /* all that there are, a list */
    struct heapmap_entry *next;
    uint64_t left;  /* of the newest chunk, in slots */
    uint64_t total; /* of all chunks, in slots */
    struct heapmap_entry *free[SLOTS_CLASSES];
};

/* The least capacity of a table that is at least `need`, up to SLOTS_MOST. */
uint32_t slots_capacity(uint32_t need);
/* A table of such a capacity, zeroed. */
struct heapmap_entry *slots_take(struct slots *slots, uint32_t capacity);
/* Whether slots_take would need more memory. */
bool slots_must_grow(const struct slots *slots, uint32_t capacity);
void slots_give(struct slots *slots, struct heapmap_entry *table, uint32_t capacity);
void slots_free(struct slots *slots);

#endif
