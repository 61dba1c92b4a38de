/*
 * Tables of the live map (slots.h).  In the collector.
 */
#include "collect/slots.h"

#include <string.h>

#include "collect/memory.h"

#define CHUNK_LEAST 1024u /* slots */
#define CHUNK_MOST 16384u
#define CHUNK_SHARE 8u /* a new chunk has an 8th of what there is */

struct chunk {
    struct chunk *next;
    uint64_t reserved;
    struct heapmap_entry entries[];
};

/* 2, 3, 4, 6, 8, 12, 16, 24 and so on. */
static uint32_t capacity_of(uint32_t class)
{
    return (2u + class % 2) << class / 2;
}

_Static_assert(SLOTS_MOST == 2u << (SLOTS_CLASSES - 1) / 2, "it is the last class");

static uint32_t class_of(uint32_t capacity)
{
    uint32_t class = 0;
    while (capacity_of(class) < capacity) {
        class ++;
    }
    return class;
}

uint32_t slots_capacity(uint32_t need)
{
    return capacity_of(class_of(need));
}

bool slots_must_grow(const struct slots *slots, uint32_t capacity)
{
    return !slots->free[class_of(capacity)] && slots->left < capacity;
}

void slots_give(struct slots *slots, struct heapmap_entry *table, uint32_t capacity)
{
    struct heapmap_entry **list = &slots->free[class_of(capacity)];
    memcpy(table, list, sizeof(*list));
    *list = table;
}

/* What is left of the newest chunk is not lost. */
static void give_rest(struct slots *slots)
{
    for (uint32_t class = SLOTS_CLASSES; class --&&slots->left;) {
        uint32_t capacity = capacity_of(class);
        while (slots->left >= capacity) {
            slots->left -= capacity;
            slots_give(slots, slots->next + slots->left, capacity);
        }
    }
}

static void add_chunk(struct slots *slots, uint32_t capacity)
{
    uint64_t count = slots->total / CHUNK_SHARE;
    count = count < CHUNK_LEAST ? CHUNK_LEAST : count < CHUNK_MOST ? count : CHUNK_MOST;
    count = count < capacity ? capacity : count;
    give_rest(slots);
    struct chunk *chunk = memory_zeroed(1, sizeof(*chunk) + count * sizeof(*chunk->entries));
    chunk->next = slots->chunks;
    slots->left = 0;
    slots->chunks = chunk;
    slots->next = chunk->entries;
    slots->left = count;
    slots->total += count;
}

struct heapmap_entry *slots_take(struct slots *slots, uint32_t capacity)
{
    struct heapmap_entry **list = &slots->free[class_of(capacity)];
    struct heapmap_entry *table = *list;
    if (table) {
        memcpy(list, table, sizeof(*list));
        return memset(table, 0, capacity * sizeof(*table));
    }
    if (slots->left < capacity) {
        add_chunk(slots, capacity);
    }
    table = slots->next;
    slots->next += capacity;
    slots->left -= capacity;
    return table;
}

void slots_free(struct slots *slots)
{
    while (slots->chunks) {
        struct chunk *chunk = slots->chunks;
        slots->chunks = chunk->next;
        memory_free(chunk);
    }
    *slots = (struct slots){0};
}
