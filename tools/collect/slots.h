/*
 * What the tables of the live map (heapmap.h) are made of.  In the collector.
 *
 * Tables have one of a few capacities.  They lie in chunks of one size, each with tables of one
 * capacity; a chunk whose tables have all been given back serves for any other, so that a program
 * that goes from many small blocks to few large ones, and back, takes no more than it did.
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

struct slots { /* zeroed is empty */
    struct slots_chunk **chunks;
    size_t n_chunks, capacity;
    size_t n_lost;                   /* the first so many: their tables are not used again */
    uint32_t partial[SLOTS_CLASSES]; /* 1 + the first chunk that has room for a table; 0: none */
    uint32_t unused;                 /* 1 + the first chunk without a table; 0: none */
};

/* The least capacity of a table that is at least `need`, up to SLOTS_MOST. */
uint32_t slots_capacity(uint32_t need);
/* A table of such a capacity, zeroed. */
struct heapmap_entry *slots_take(struct slots *slots, uint32_t capacity);
/* Whether slots_take would need more memory. */
bool slots_must_grow(const struct slots *slots, uint32_t capacity);
void slots_give(struct slots *slots, struct heapmap_entry *table);
/* After a collector that was killed, perhaps in the middle of one of these: what was free is lost.
 */
void slots_reopen(struct slots *slots);
/* Bytes of all chunks. */
uint64_t slots_bytes(const struct slots *slots);
void slots_free(struct slots *slots);

#endif
