/*
 * The live blocks of one process: address → size and cell.  16 bytes a block in
 * an open-addressed table, at most 5/8 full while it is small and 27/32 when it is large.  Used by
 * the collector for every event.
 *
 * A block that goes leaves its slot to the next one at the same address, which
 * allocators soon hand out again; such slots are dropped when the table is made
 * anew.
 */
#ifndef COLLECT_HEAPMAP_H
#define COLLECT_HEAPMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "memtrace/format.h"

#define HEAPMAP_LARGE MT_LARGE /* blocks of so many bytes are listed */

struct block {
    uint64_t address; /* of 48 bits */
    uint64_t size;
    uint32_t cell;  /* not 0 */
    uint16_t stamp; /* kept with it: after which fork it was allocated (forks.h) */
};

struct heapmap { /* zeroed is empty */
    struct heapmap_entry {
        uint64_t key;  /* address << 16 | stamp; 0: never used */
        uint32_t size; /* from HEAPMAP_LARGE on: that, plus the place in `large` */
        uint32_t cell; /* 0: no block is there */
    } * entries;
    uint64_t capacity;
    uint64_t limit; /* so many slots may be used, then the table is made anew */
    uint64_t used;  /* slots of blocks, and slots that blocks have left */
    uint64_t blocks;
    struct heapmap_large {
        uint64_t address, size;
    } * large; /* large blocks: few, in no order */
    size_t n_large, large_capacity;
};

/* False, and *old is what was there, if there was a block at that address already; it is
   replaced. */
bool heapmap_put(struct heapmap *map, const struct block *block, struct block *old);
/* Removes the block at address into *block; false if there is none. */
bool heapmap_take(struct heapmap *map, uint64_t address, struct block *block);
/* The block at address; false if there is none. */
bool heapmap_get(const struct heapmap *map, uint64_t address, struct block *block);
/* Calls `each` for every block; it may not change the map. */
void heapmap_each(
    const struct heapmap *map, void (*each)(void *, const struct block *), void *context);
/* Takes `less` from the stamps of all blocks; the smallest is 0. */
void heapmap_age(struct heapmap *map, uint32_t less);
/* A larger one is not in a cache as it is.  Up to here capacities are powers of two. */
#define HEAPMAP_CACHED (1u << 17)
static inline bool heapmap_is_large(const struct heapmap *map)
{
    return map->capacity > HEAPMAP_CACHED;
}
void heapmap_free(struct heapmap *map);

#endif
