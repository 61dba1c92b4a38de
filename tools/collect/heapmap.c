/*
 * The live map (heapmap.h, heapmap_probe.h): open addressing.  In the collector.
 */
#include "collect/heapmap.h"

#include <stdlib.h>

#include "collect/heapmap_probe.h"
#include "collect/memory.h"

#define START 4096u
#define SMALL                                                                                      \
    (1u << 19) /* up to here tables double; then they grow by a quarter, for their room            \
                  counts for the limit that the program is under */
_Static_assert(HEAPMAP_CACHED <= SMALL, "the slots of small tables are found by a shift");

static void next(const struct heapmap *map, uint64_t key, struct heapmap_probe *probe)
{
    if (++probe->count < HEAPMAP_HASHES) {
        probe->hash = (probe->hash ^ probe->hash >> 31) * 0xbf58476d1ce4e5b9ull;
        probe->at = heapmap_place(map->capacity, key, probe->hash);
    } else {
        probe->at = probe->at + 1 < map->capacity ? probe->at + 1 : 0;
    }
}

struct heapmap_entry *heapmap_find(const struct heapmap *map, uint64_t key)
{
    struct heapmap_probe probe = {.hash = heapmap_hash(key)};
    probe.at = heapmap_place(map->capacity, key, probe.hash);
    while (!heapmap_is_of(&map->entries[probe.at], key) && map->entries[probe.at].key) {
        next(map, key, &probe);
    }
    return &map->entries[probe.at];
}

/* The slot of an address, or the unused one where it belongs. */
static inline struct heapmap_entry *find(const struct heapmap *map, uint64_t address)
{
    return heapmap_find(map, heapmap_key(address));
}

static inline uint64_t address_of(const struct heapmap_entry *entry)
{
    return entry->key >> 16;
}

static uint64_t limit_of(uint64_t capacity)
{
    return capacity * (capacity <= SMALL ? 20 : 27) / 32;
}

/* More slots where blocks fill most of them; the same where it is slots that blocks have left. */
static uint64_t grown(const struct heapmap *map)
{
    if (!map->capacity) {
        return START;
    }
    if (map->capacity <= SMALL) {
        return map->blocks * 2 > map->capacity ? map->capacity * 2 : map->capacity;
    }
    return map->blocks * 32 > map->capacity * 22
               ? (map->capacity + map->capacity / 4) / HEAPMAP_WINDOW * HEAPMAP_WINDOW
               : map->capacity;
}

/* The new table is whole before it takes the old one's place: a collector can be killed here. */
static void make_anew(struct heapmap *map)
{
    struct heapmap anew = *map;
    anew.capacity = grown(map);
    anew.limit = limit_of(anew.capacity);
    anew.used = map->blocks;
    anew.entries = memory_zeroed(anew.capacity, sizeof(*anew.entries));
    for (uint64_t i = 0; i < map->capacity; i++) {
        if (map->entries[i].cell) {
            *find(&anew, address_of(&map->entries[i])) = map->entries[i];
        }
    }
    struct heapmap_entry *old = map->entries;
    *map = anew;
    memory_free(old);
}

static inline bool is_listed(const struct heapmap_entry *entry)
{
    return entry->size >= HEAPMAP_LARGE;
}

static uint64_t size_of(const struct heapmap *map, const struct heapmap_entry *entry)
{
    return is_listed(entry) ? map->large[entry->size - HEAPMAP_LARGE].size : entry->size;
}

/* The last one of the list takes the place of the one that goes.  A collector that is killed in
   here leaves one that is listed twice or has gone, never a size that is wrong. */
static void unlist(struct heapmap *map, uint32_t size)
{
    uint32_t last = HEAPMAP_LARGE + (uint32_t)map->n_large - 1;
    map->large[size - HEAPMAP_LARGE] = map->large[last - HEAPMAP_LARGE];
    struct heapmap_entry *moved = find(map, map->large[last - HEAPMAP_LARGE].address);
    if (moved->cell && moved->size == last) {
        moved->size = size;
    }
    map->n_large--;
}

static inline uint32_t put_size(struct heapmap *map, const struct block *block)
{
    if (block->size < HEAPMAP_LARGE) {
        return (uint32_t)block->size;
    }
    map->large =
        memory_grow(map->large, &map->large_capacity, map->n_large + 1, sizeof(*map->large));
    map->large[map->n_large] = (struct heapmap_large){block->address, block->size};
    return HEAPMAP_LARGE + (uint32_t)map->n_large++;
}

bool heapmap_put(struct heapmap *map, const struct block *block, struct block *old)
{
    if (map->used >= map->limit) {
        make_anew(map);
    }
    struct heapmap_entry *entry = find(map, block->address);
    bool fresh = !entry->cell;
    if (fresh) {
        map->blocks++;
        map->used += !entry->key;
    } else {
        *old =
            (struct block){block->address, size_of(map, entry), entry->cell, (uint16_t)entry->key};
        if (is_listed(entry)) {
            unlist(map, entry->size);
        }
    }
    *entry = (struct heapmap_entry){
        block->address << 16 | block->stamp, put_size(map, block), block->cell};
    return fresh;
}

bool heapmap_get(const struct heapmap *map, uint64_t address, struct block *block)
{
    const struct heapmap_entry *entry = map->used ? find(map, address) : NULL;
    if (!entry || !entry->cell) {
        return false;
    }
    *block = (struct block){address, size_of(map, entry), entry->cell, (uint16_t)entry->key};
    return true;
}

void heapmap_each(
    const struct heapmap *map, void (*each)(void *, const struct block *), void *context)
{
    for (uint64_t i = 0; i < map->capacity; i++) {
        const struct heapmap_entry *entry = &map->entries[i];
        if (entry->cell) {
            struct block block = {
                address_of(entry), size_of(map, entry), entry->cell, (uint16_t)entry->key};
            each(context, &block);
        }
    }
}

void heapmap_age(struct heapmap *map, uint32_t less)
{
    for (uint64_t i = 0; i < map->capacity; i++) {
        uint64_t stamp = map->entries[i].key & 0xffff;
        map->entries[i].key -= stamp < less ? stamp : less;
    }
}

bool heapmap_take(struct heapmap *map, uint64_t address, struct block *block)
{
    struct heapmap_entry *entry = map->used ? find(map, address) : NULL;
    if (!entry || !entry->cell) {
        return false;
    }
    *block = (struct block){address, size_of(map, entry), entry->cell, (uint16_t)entry->key};
    entry->cell = 0;
    map->blocks--;
    if (is_listed(entry)) {
        unlist(map, entry->size);
    }
    return true;
}

void heapmap_free(struct heapmap *map)
{
    memory_free(map->entries);
    memory_free(map->large);
    *map = (struct heapmap){0};
}
