/*
 * Open addressing with linear probing, half full at most (index.h).  In the
 * collector.
 */
#include "collect/index.h"

#include <stdlib.h>

#include "collect/memory.h"

#define START 256u

uint32_t index_find(const struct index *index, uint32_t hash, index_equal *equal,
    const void *context, const void *key)
{
    if (!index->capacity) {
        return 0;
    }
    uint32_t mask = index->capacity - 1;
    for (uint32_t at = hash & mask; index->slots[at].number; at = (at + 1) & mask) {
        const struct index_slot *slot = &index->slots[at];
        if (slot->hash == hash && equal(context, slot->number, key)) {
            return slot->number;
        }
    }
    return 0;
}

static void put(struct index *index, uint32_t hash, uint32_t number)
{
    uint32_t mask = index->capacity - 1, at = hash & mask;
    while (index->slots[at].number) {
        at = (at + 1) & mask;
    }
    index->slots[at] = (struct index_slot){hash, number};
}

static void grow(struct index *index)
{
    struct index_slot *old = index->slots;
    uint32_t old_capacity = index->capacity;
    index->capacity = old_capacity ? old_capacity * 2 : START;
    index->slots = index->is_outside ? memory_zeroed_outside(index->capacity, sizeof(*index->slots))
                                     : memory_zeroed(index->capacity, sizeof(*index->slots));
    for (uint32_t i = 0; i < old_capacity; i++) {
        if (old[i].number) {
            put(index, old[i].hash, old[i].number);
        }
    }
    memory_free(old);
}

void index_add(struct index *index, uint32_t hash, uint32_t number)
{
    if (index->used * 2 >= index->capacity) {
        grow(index);
    }
    put(index, hash, number);
    index->used++;
}

/* Whether what belongs at `home` may lie at `to`, which has become free, rather than behind it at
   `from`: distances are those of linear probing, around the end. */
static bool may_move(uint32_t mask, uint32_t home, uint32_t to, uint32_t from)
{
    return ((from - home) & mask) >= ((from - to) & mask);
}

void index_remove(struct index *index, uint32_t hash, uint32_t number)
{
    uint32_t mask = index->capacity - 1, to = hash & mask;
    while (index->slots[to].number != number) {
        to = (to + 1) & mask;
    }
    for (uint32_t from = (to + 1) & mask; index->slots[from].number; from = (from + 1) & mask) {
        if (may_move(mask, index->slots[from].hash & mask, to, from)) {
            index->slots[to] = index->slots[from];
            to = from;
        }
    }
    index->slots[to] = (struct index_slot){0};
    index->used--;
}

void index_free(struct index *index)
{
    memory_free(index->slots);
    *index = (struct index){.is_outside = index->is_outside};
}

uint32_t index_hash_numbers(uint64_t a, uint64_t b)
{
    uint64_t x = (a ^ b * 0x9e3779b97f4a7c15ull) * 0xbf58476d1ce4e5b9ull;
    return (uint32_t)((x ^ x >> 31) * 0x94d049bb133111ebull >> 32);
}

uint32_t index_hash(const void *bytes, uint64_t size)
{
    const uint8_t *next = bytes;
    uint64_t hash = 0xcbf29ce484222325ull; /* FNV-1a */
    while (size--) {
        hash = (hash ^ *next++) * 0x100000001b3ull;
    }
    return (uint32_t)(hash ^ hash >> 32);
}
