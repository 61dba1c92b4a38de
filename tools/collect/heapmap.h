/*
 * The live blocks of one process: address → size and cell.  16 bytes a block in
 * an open-addressed table at most 7/8 full.  Used by the collector for every
 * event.
 */
#ifndef COLLECT_HEAPMAP_H
#define COLLECT_HEAPMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct block {
    uint64_t address;
    uint64_t size;
    uint32_t cell;
};

struct heapmap { /* zeroed is empty */
    struct heapmap_entry {
        uint64_t address; /* 0: free */
        uint32_t size;    /* UINT32_MAX: in `large` */
        uint32_t cell;
    } * entries;
    uint64_t capacity, used;
    unsigned shift;
    struct heapmap_large {
        uint64_t address, size;
    } * large; /* blocks of 4 GiB and more: few, in no order */
    size_t n_large, large_capacity;
};

/* False, and *old is what was there, if there was a block at that address already; it is
   replaced. */
bool heapmap_put(struct heapmap *map, const struct block *block, struct block *old);
/* Removes the block at address into *block; false if there is none. */
bool heapmap_take(struct heapmap *map, uint64_t address, struct block *block);
/* A block at this address will be put or taken soon; any number will do. */
void heapmap_prefetch(const struct heapmap *map, uint64_t address);
void heapmap_free(struct heapmap *map);

#endif
