/*
 * The events to come (ahead.h).  In the collector: for every event, where there are many blocks.
 */
#include "collect/ahead.h"

#include "collect/heapmap_probe.h"

/* How many words an operation has, and which of them holds the address of its block; no words where
   that is not known before it is taken.  Those without an address say any number. */
static const struct shape {
    uint8_t words, address;
} shapes[16] = {
    [MT_OP_NONE] = {1, 0},
    [MT_OP_ALLOC] = {2, 1},
    [MT_OP_ALLOC_SEQ] = {2, 1},
    [MT_OP_FREE] = {1, 0},
    [MT_OP_FREE_SEQ] = {2, 0},
    [MT_OP_REALLOC_BEGIN] = {1, 0},
    [MT_OP_REALLOC_BEGIN_SEQ] = {2, 0},
    [MT_OP_REALLOC_END] = {2, 1},
    [MT_OP_REALLOC_END_SEQ] = {2, 1},
    [MT_OP_REALLOC_CANCEL] = {1, 0},
    [MT_OP_SIZE] = {1, 0},
    [MT_OP_TIME] = {1, 0},
    [MT_OP_NODE] = {2, 0},
};

static void find_places(struct coming *coming, const struct heapmap *map, uint64_t key)
{
    coming->unit = heapmap_find_unit(map, key);
    coming->first = NULL;
    coming->cell = NULL;
    if (coming->unit->table) {
        coming->first = heapmap_first(coming->unit, heapmap_tag(key));
        coming->cell = &coming->first->cell;
        __builtin_prefetch(coming->first);
    }
}

/* The cell that the site had last, for what allocates. */
static void find_site(struct coming *coming, const struct ring *ring, const uint64_t *words)
{
    uint64_t at = 4 * (words[1] % MT_NODE_LIMIT) + (words[0] >> 4 & 3);
    coming->cell = NULL;
    if (at < ring->sites_capacity) {
        coming->cell = &ring->sites[at].cell;
        __builtin_prefetch(coming->cell);
    }
}

/* The words that it has, 0 if they cannot be told.  Its last one may turn out to be an event's
   first: who writes a ring can do so at any time. */
static uint32_t look_at(struct lookahead *ahead, const struct ring *ring, uint64_t at)
{
    const uint64_t *words = &ring->words[at & ring->mask];
    struct shape shape = shapes[words[0] & 15];
    struct coming *coming = &ahead->events[at % AHEAD_PLACES];
    if (shape.words) {
        ahead->events[(at + shape.words - 1) % AHEAD_PLACES] = (struct coming){0};
        find_places(
            coming, &ring->image->blocks, words[shape.address] & ~(uint64_t)(MT_NODE_LIMIT - 1));
        if (shape.address) {
            find_site(coming, ring, words);
        }
    }
    return shape.words;
}

void ahead_look(
    struct lookahead *ahead, const struct ring *ring, const struct cell *cells, uint64_t head)
{
    uint64_t tail = ring->tail, end = tail + AHEAD_WORDS < head ? tail + AHEAD_WORDS : head;
    uint64_t at = ahead->until > tail ? ahead->until : tail;
    uint32_t words;
    for (uint64_t i = ahead->fetched > tail ? ahead->fetched : tail; i < at; i++) {
        const uint32_t *cell = ahead->events[i % AHEAD_PLACES].cell;
        if (cell) {
            __builtin_prefetch(&cells[*cell]);
        }
    }
    ahead->fetched = at;
    while (at + 1 < end && (words = look_at(ahead, ring, at)) != 0) {
        at += words;
    }
    ahead->until = at;
}
