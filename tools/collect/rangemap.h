/*
 * The memory maps of one process: ranges of addresses, each with a cell.  Used
 * by the collector; there are few, so a sorted array does.
 */
#ifndef COLLECT_RANGEMAP_H
#define COLLECT_RANGEMAP_H

#include <stddef.h>
#include <stdint.h>

struct range {
    uint64_t start, end;
    uint32_t cell;
};

struct rangemap { /* zeroed is empty */
    struct range *ranges;
    size_t count, capacity;
};

/* Called for each piece that goes, and how many ranges fewer its cell has: 1 for a whole one, 0 for
   an end of one, -1 for a middle, which leaves two. */
typedef void rangemap_gone(void *context, const struct range *piece, int ranges);

void rangemap_add(struct rangemap *map, const struct range *range);
/* Removes [start, end) from whatever ranges lie there, also from their middle. */
void rangemap_remove(
    struct rangemap *map, uint64_t start, uint64_t end, rangemap_gone *gone, void *context);
/* The range that has this address, NULL if there is none. */
const struct range *rangemap_at(const struct rangemap *map, uint64_t address);
void rangemap_free(struct rangemap *map);

#endif
