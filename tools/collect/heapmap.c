/*
 * The live map (heapmap.h): linear probing, deletion by shifting back.  In the
 * collector, for every event.
 */
#include "collect/heapmap.h"

#include <stdlib.h>

#include "collect/memory.h"

#define START 4096u

/* Blocks that are neighbours in memory are neighbours here: each kibibyte of addresses has a
   window of 16 slots (four cache lines) at a place of its own.  Programs allocate and free in runs;
   with a hash of the whole address each of them would be a miss. */
static uint64_t home(const struct heapmap *map, uint64_t address)
{
    uint64_t window = (address >> 10) * 0x9e3779b97f4a7c15ull >> map->shift;
    return (window + (address >> 6 & 15)) & (map->capacity - 1);
}

void heapmap_prefetch(const struct heapmap *map, uint64_t address)
{
    if (map->capacity) {
        __builtin_prefetch(&map->entries[home(map, address)]);
    }
}

/* The new table is whole before it takes the old one's place: a collector can be killed here. */
static void grow(struct heapmap *map)
{
    struct heapmap larger = *map;
    larger.capacity = map->capacity ? map->capacity * 2 : START;
    larger.shift = 64 - (unsigned)__builtin_ctzll(larger.capacity);
    larger.entries = memory_zeroed(larger.capacity, sizeof(*larger.entries));
    for (uint64_t i = 0; i < map->capacity; i++) {
        if (map->entries[i].address) {
            uint64_t at = home(&larger, map->entries[i].address);
            while (larger.entries[at].address) {
                at = (at + 1) & (larger.capacity - 1);
            }
            larger.entries[at] = map->entries[i];
        }
    }
    struct heapmap_entry *old = map->entries;
    *map = larger;
    memory_free(old);
}

static struct heapmap_large *find_large(const struct heapmap *map, uint64_t address)
{
    struct heapmap_large *large = map->large;
    while (large->address != address) {
        large++;
    }
    return large;
}

static uint64_t take_size(struct heapmap *map, const struct heapmap_entry *entry)
{
    if (entry->size != UINT32_MAX) {
        return entry->size;
    }
    struct heapmap_large *large = find_large(map, entry->address);
    uint64_t size = large->size;
    *large = map->large[--map->n_large];
    return size;
}

static uint32_t put_size(struct heapmap *map, const struct block *block)
{
    if (block->size < UINT32_MAX) {
        return (uint32_t)block->size;
    }
    map->large =
        memory_grow(map->large, &map->large_capacity, map->n_large + 1, sizeof(*map->large));
    map->large[map->n_large++] = (struct heapmap_large){block->address, block->size};
    return UINT32_MAX;
}

bool heapmap_put(struct heapmap *map, const struct block *block, struct block *old)
{
    if (map->used * 8 >= map->capacity * 7) {
        grow(map);
    }
    uint64_t mask = map->capacity - 1, at = home(map, block->address);
    while (map->entries[at].address && map->entries[at].address != block->address) {
        at = (at + 1) & mask;
    }
    struct heapmap_entry *entry = &map->entries[at];
    bool fresh = !entry->address;
    if (fresh) {
        map->used++;
    } else {
        *old = (struct block){entry->address, take_size(map, entry), entry->cell};
    }
    *entry = (struct heapmap_entry){block->address, put_size(map, block), block->cell};
    return fresh;
}

/* Moves later entries of the run up, as far as their homes allow. */
static void close_gap(struct heapmap *map, uint64_t gap)
{
    uint64_t mask = map->capacity - 1;
    for (uint64_t at = (gap + 1) & mask; map->entries[at].address; at = (at + 1) & mask) {
        uint64_t wanted = home(map, map->entries[at].address);
        if (((at - wanted) & mask) >= ((at - gap) & mask)) {
            map->entries[gap] = map->entries[at];
            gap = at;
        }
    }
    map->entries[gap].address = 0;
}

bool heapmap_take(struct heapmap *map, uint64_t address, struct block *block)
{
    if (!map->used) {
        return false;
    }
    uint64_t mask = map->capacity - 1, at = home(map, address);
    while (map->entries[at].address != address) {
        if (!map->entries[at].address) {
            return false;
        }
        at = (at + 1) & mask;
    }
    const struct heapmap_entry *entry = &map->entries[at];
    *block = (struct block){address, take_size(map, entry), entry->cell};
    close_gap(map, at);
    map->used--;
    return true;
}

void heapmap_free(struct heapmap *map)
{
    memory_free(map->entries);
    memory_free(map->large);
    *map = (struct heapmap){0};
}
