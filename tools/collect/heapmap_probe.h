/*
 * Where the live map (heapmap.h) has an address: for heapmap.c, and for what is inlined into the
 * loop of all events.
 *
 * Blocks that are neighbours in memory are neighbours here: each half
 * kibibyte of addresses has a window of 16 slots (four cache lines), a slot for each 32 bytes, and
 * few blocks are smaller.  Programs allocate and free in runs; with a hash of the
 * whole address each of them would be a miss.  Windows lie where a hash says, one over
 * another where it must be: a slot that is taken sends on to the window that
 * the next hash says, so that full ones do not grow together.
 */
#ifndef COLLECT_HEAPMAP_PROBE_H
#define COLLECT_HEAPMAP_PROBE_H

#include "collect/heapmap.h"

#define HEAPMAP_WINDOW 16u
#define HEAPMAP_HASHES 64u /* windows that are tried before slots are tried one by one */

/* What an entry's key has of an address: all but the stamp. */
#define HEAPMAP_STAMP 0xffffull

struct heapmap_probe {
    uint64_t hash, at;
    uint32_t count;
};

static inline uint64_t heapmap_key(uint64_t address)
{
    return address << 16;
}

static inline bool heapmap_is_of(const struct heapmap_entry *entry, uint64_t key)
{
    return (entry->key ^ key) <= HEAPMAP_STAMP;
}

static inline uint64_t heapmap_hash(uint64_t key)
{
    return (key >> 25) * 0x9e3779b97f4a7c15ull;
}

static inline uint64_t heapmap_in_window(uint64_t key, uint64_t hash, uint64_t window)
{
    return window * HEAPMAP_WINDOW + ((key >> 21 ^ hash >> 24) & (HEAPMAP_WINDOW - 1));
}

static inline uint64_t heapmap_place(uint64_t capacity, uint64_t key, uint64_t hash)
{
    uint64_t windows = capacity / HEAPMAP_WINDOW;
    return heapmap_in_window(key, hash, (uint64_t)((unsigned __int128)hash * windows >> 64));
}

/* The first slot to look at. */
static inline uint64_t heapmap_first(uint64_t capacity, uint64_t key)
{
    return heapmap_place(capacity, key, heapmap_hash(key));
}

/* The same where there are 2^(64 - shift) windows, from two up. */
static inline uint64_t heapmap_first_of(unsigned shift, uint64_t key)
{
    uint64_t hash = heapmap_hash(key);
    return heapmap_in_window(key, hash, hash >> shift);
}

/* The slot of an address, or the unused one where it belongs, whatever the first one has. */
struct heapmap_entry *heapmap_find(const struct heapmap *map, uint64_t key);

/* The same; `at` is the first slot. */
static inline __attribute__((always_inline)) struct heapmap_entry *heapmap_find_at(
    const struct heapmap *map, struct heapmap_entry *entries, uint64_t at, uint64_t key)
{
    struct heapmap_entry *entry = &entries[at];
    return __builtin_expect(heapmap_is_of(entry, key) || !entry->key, 1) ? entry
                                                                         : heapmap_find(map, key);
}

#endif
