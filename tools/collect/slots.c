/*
 * Tables of the live map (slots.h).  In the collector.
 */
#include "collect/slots.h"

#include <string.h>

#include "collect/memory.h"

#define ENTRY_WORDS (sizeof(struct heapmap_entry) / sizeof(uint32_t))
#define CHUNK_ENTRIES 3072u /* two tables of 1,536, which blocks of 16 bytes need, three of 1,024  \
                             */
#define CHUNK_WORDS (CHUNK_ENTRIES * ENTRY_WORDS + 8) /* and what stands before each of some */

/* A table is the word with its chunk's number and then its entries; while it is free the first of
   these is 1 + the next free one.  Chunks are linked by 1 + their numbers. */
struct slots_chunk {
    uint32_t next, previous;
    uint32_t class;
    uint32_t used, fresh; /* tables that are, and that ever were */
    uint32_t free;        /* 1 + the first one that was given back */
    uint32_t words[CHUNK_WORDS];
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

static uint32_t words_of(uint32_t class)
{
    return 1 + capacity_of(class) * (uint32_t)ENTRY_WORDS;
}

static uint32_t tables_in(uint32_t class)
{
    return (uint32_t)CHUNK_WORDS / words_of(class);
}

/* ---- chunks ---- */

static struct slots_chunk *chunk_at(const struct slots *slots, uint32_t link)
{
    return link ? slots->chunks[link - 1] : NULL;
}

static void link_chunk(struct slots *slots, uint32_t *list, uint32_t link)
{
    struct slots_chunk *chunk = chunk_at(slots, link), *next = chunk_at(slots, *list);
    chunk->previous = 0;
    chunk->next = *list;
    if (next) {
        next->previous = link;
    }
    *list = link;
}

static void unlink_chunk(struct slots *slots, uint32_t *list, uint32_t link)
{
    struct slots_chunk *chunk = chunk_at(slots, link);
    struct slots_chunk *next = chunk_at(slots, chunk->next);
    struct slots_chunk *previous = chunk_at(slots, chunk->previous);
    if (next) {
        next->previous = chunk->previous;
    }
    *(previous ? &previous->next : list) = chunk->next;
}

static void add_chunk(struct slots *slots)
{
    slots->chunks =
        memory_grow(slots->chunks, &slots->capacity, slots->n_chunks + 1, sizeof(*slots->chunks));
    slots->chunks[slots->n_chunks] = memory_zeroed(1, sizeof(struct slots_chunk));
    link_chunk(slots, &slots->unused, (uint32_t)++slots->n_chunks);
}

/* One that has room for a table; it is the first of its list. */
static uint32_t chunk_for(struct slots *slots, uint32_t class)
{
    if (!slots->partial[class]) {
        if (!slots->unused) {
            add_chunk(slots);
        }
        uint32_t link = slots->unused;
        struct slots_chunk *chunk = chunk_at(slots, link);
        unlink_chunk(slots, &slots->unused, link);
        chunk->class = class;
        chunk->used = chunk->fresh = chunk->free = 0;
        link_chunk(slots, &slots->partial[class], link);
    }
    return slots->partial[class];
}

/* ---- tables ---- */

bool slots_must_grow(const struct slots *slots, uint32_t capacity)
{
    return !slots->partial[class_of(capacity)] && !slots->unused;
}

struct heapmap_entry *slots_take(struct slots *slots, uint32_t capacity)
{
    uint32_t class = class_of(capacity), link = chunk_for(slots, class);
    struct slots_chunk *chunk = chunk_at(slots, link);
    uint32_t table = chunk->free ? chunk->free - 1 : chunk->fresh;
    uint32_t *words = &chunk->words[table * words_of(class)];
    if (chunk->free) {
        chunk->free = words[1];
    } else {
        chunk->fresh++;
    }
    if (++chunk->used == tables_in(class)) {
        unlink_chunk(slots, &slots->partial[class], link);
    }
    words[0] = link;
    return memset(words + 1, 0, capacity * sizeof(struct heapmap_entry));
}

void slots_give(struct slots *slots, struct heapmap_entry *given)
{
    uint32_t *words = (uint32_t *)given - 1, link = words[0];
    struct slots_chunk *chunk = chunk_at(slots, link);
    if (link <= slots->n_lost) {
        return;
    }
    if (chunk->used == tables_in(chunk->class)) {
        link_chunk(slots, &slots->partial[chunk->class], link);
    }
    words[1] = chunk->free;
    chunk->free = 1 + (uint32_t)(words - chunk->words) / words_of(chunk->class);
    if (--chunk->used == 0) {
        unlink_chunk(slots, &slots->partial[chunk->class], link);
        link_chunk(slots, &slots->unused, link);
    }
}

void slots_reopen(struct slots *slots)
{
    slots->n_lost = slots->n_chunks;
    memset(slots->partial, 0, sizeof(slots->partial));
    slots->unused = 0;
}

uint64_t slots_bytes(const struct slots *slots)
{
    return slots->n_chunks * sizeof(struct slots_chunk);
}

void slots_free(struct slots *slots)
{
    for (size_t i = 0; i < slots->n_chunks; i++) {
        memory_free(slots->chunks[i]);
    }
    memory_free(slots->chunks);
    *slots = (struct slots){0};
}
