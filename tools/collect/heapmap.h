/*
 * The live blocks of one process: address → size and cell.  At most 24 bytes a block of any usual
 * size.  Used by the collector for every event.
 *
 * Each 16 KiB of addresses in which there are blocks are a unit with a table of its own, which
 * grows with its blocks.  Programs allocate and free in runs: what is near in memory is near here,
 * and no table is so large that making it anew keeps the program waiting.
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

#include "collect/slots.h"
#include "memtrace/format.h"

#define HEAPMAP_LARGE MT_LARGE /* blocks of so many bytes are listed */

struct block {
    uint64_t address; /* of 48 bits */
    uint64_t size;
    uint32_t cell;  /* not 0 */
    uint16_t stamp; /* kept with it: after which fork it was allocated (forks.h) */
};

/* Two words, each of which changes at once (heapmap_probe.h). */
struct heapmap_unit {
    uint64_t word;  /* which addresses; how many slots may still be taken, then the table is made
                       anew; how many blocks; 0: unused */
    uint64_t table; /* where it is, and how it is laid out; 0: none */
};

/*
 * Whether the blocks that go from a large map are in units of which others went just before: of
 * programs that free in runs all but 2 to 9 in a hundred are, of those that free at random 34 and
 * more are not.  Said anew after so many frees.
 */
#define HEAPMAP_NEAR_BITS 5
#define HEAPMAP_COUNTED 4096u
#define HEAPMAP_SCATTERED_FROM (HEAPMAP_COUNTED / 5)
struct heapmap_near {
    uint32_t units[1 << HEAPMAP_NEAR_BITS]; /* the latest ones, by a hash */
    uint32_t frees, strays;                 /* strays: in none of these */
    bool is_scattered;
};

struct heapmap {                /* zeroed is empty */
    struct heapmap_unit *units; /* by a hash of their addresses */
    uint64_t capacity;
    uint64_t used;  /* units in use, with blocks or without */
    uint64_t empty; /* those that have a table and no blocks */
    uint64_t blocks;
    struct slots slots; /* of which the tables are made */
    struct heapmap_large {
        uint64_t address, size;
    } * large; /* large blocks: few, in no order */
    size_t n_large, large_capacity;
    struct heapmap_near near;
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
/* Whether it is too large to be in a cache as it is. */
#define HEAPMAP_CACHED (1u << 16)
static inline bool heapmap_is_large(const struct heapmap *map)
{
    return map->blocks > HEAPMAP_CACHED;
}
/* After a collector that was killed. */
void heapmap_reopen(struct heapmap *map);
/* What it takes itself, without the list of large blocks. */
uint64_t heapmap_bytes(const struct heapmap *map);
void heapmap_free(struct heapmap *map);

#endif
