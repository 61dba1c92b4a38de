/*
 * Ranges sorted by address that never overlap (rangemap.h).  In the collector.
 */
#include "collect/rangemap.h"

#include <stdlib.h>
#include <string.h>

#include "collect/memory.h"

/* The first range that ends after address. */
static size_t first_after(const struct rangemap *map, uint64_t address)
{
    size_t low = 0, high = map->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (map->ranges[middle].end > address) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

static void insert(struct rangemap *map, size_t at, const struct range *range)
{
    map->ranges = memory_grow(map->ranges, &map->capacity, map->count + 1, sizeof(*map->ranges));
    memmove(&map->ranges[at + 1], &map->ranges[at], (map->count - at) * sizeof(*map->ranges));
    map->ranges[at] = *range;
    map->count++;
}

static void erase(struct rangemap *map, size_t at)
{
    map->count--;
    memmove(&map->ranges[at], &map->ranges[at + 1], (map->count - at) * sizeof(*map->ranges));
}

void rangemap_add(struct rangemap *map, const struct range *range)
{
    insert(map, first_after(map, range->start), range);
}

void rangemap_remove(
    struct rangemap *map, uint64_t start, uint64_t end, rangemap_gone *gone, void *context)
{
    size_t at = first_after(map, start);
    while (at < map->count && map->ranges[at].start < end) {
        struct range *range = &map->ranges[at], tail = *range;
        uint64_t from = range->start > start ? range->start : start;
        uint64_t to = range->end < end ? range->end : end;
        int ranges = (from == range->start) + (to == range->end) - 1;
        struct range piece = {from, to, range->cell};
        gone(context, &piece, ranges);
        if (ranges == 1) {
            erase(map, at);
        } else if (from == range->start) {
            range->start = to;
            at++;
        } else {
            range->end = from;
            at++;
            if (to < tail.end) {
                tail.start = to;
                insert(map, at++, &tail);
            }
        }
    }
}

const struct range *rangemap_at(const struct rangemap *map, uint64_t address)
{
    size_t at = first_after(map, address);
    return at < map->count && map->ranges[at].start <= address ? &map->ranges[at] : NULL;
}

void rangemap_free(struct rangemap *map)
{
    memory_free(map->ranges);
    *map = (struct rangemap){0};
}
