/*
 * The short way of an event (plain.h).  In the collector: the loop that has to keep up with the
 * traced program.
 *
 * The kinds of events, and what has to be so before one is taken here, are those of drain.c, which
 * does the same in general: what is here is there too.  The ring's tail moves with each event, as
 * there, for a collector that is killed leaves at most one event half done.
 */
#include "collect/plain.h"

#include <string.h>

#include "collect/heapmap_probe.h"
#include "collect/sums.h"

/* The address of a block in the word of an event that has it is where the map's keys have it. */
#define KEY ~(uint64_t)(MT_NODE_LIMIT - 1)

#define AHEAD_WORDS 64u

struct plain {
    struct accounts *accounts;
    struct ring *ring;
    struct image *image;
    struct heapmap *map;
    struct cell *cells;
    const uint64_t *words; /* from the event on */
    uint64_t published;    /* words from there on */
    uint64_t now;          /* what tells a cell of now */
    uint16_t stamp;
    bool forks_care;
};

enum { PLAIN_OTHER = 0, PLAIN_WAITS = 9 }; /* in the place of an event's words */

/* ---- cells ---- */

/* The first words of a cell: its site, and whether what it allocates now counts there. */
FAST uint64_t tag_of(const struct cell *cell)
{
    uint64_t tag;
    _Static_assert(offsetof(struct cell, merged_into) == sizeof(tag), "");
    memcpy(&tag, cell, sizeof(tag));
    return tag;
}

/* The tag of a cell of no site and no domain, that is changed and of this birth. */
static uint64_t tag_of_now(const struct accounts *accounts)
{
    return tag_of(&(struct cell){.birth = accounts->birth, .is_changed = true});
}

FAST uint64_t tag_with(uint64_t now, uint32_t site, uint32_t domain)
{
    return now | site | (uint64_t)domain << 60;
}

static __attribute__((noinline)) struct cell *note_cell(struct plain *plain, uint32_t id)
{
    struct cell *cell = &plain->cells[id];
    accounts_note_change(&plain->image->account, cell, id);
    return cell;
}

/* The cell for what a site of the ring allocates now is not at hand, unless it only has not changed
   since it was written. */
static __attribute__((noinline)) struct cell *seek_cell(
    struct plain *plain, struct ring_site site, uint32_t domain)
{
    const struct cell *cell = &plain->cells[site.cell];
    uint64_t unchanged = tag_of(&(struct cell){.is_changed = true});
    bool is_now = site.site && !cell->merged_into && !cell->is_changed &&
                  (tag_of(cell) | unchanged) == tag_with(plain->now, site.site, domain);
    return is_now ? note_cell(plain, site.cell) : NULL;
}

FAST struct cell *cell_at_hand(struct plain *plain, uint64_t node, uint32_t domain, uint32_t *id)
{
    uint64_t at = 4 * node + domain;
    if (RARELY(at >= plain->ring->sites_capacity)) {
        return NULL;
    }
    struct ring_site site = plain->ring->sites[at];
    struct cell *cell = &plain->cells[site.cell];
    *id = site.cell;
    if (RARELY(tag_of(cell) != tag_with(plain->now, site.site, domain) || cell->merged_into)) {
        return seek_cell(plain, site, domain);
    }
    return cell;
}

/* ---- the map ---- */

/* The slot of a block that is there and small, or NULL. */
FAST struct heapmap_entry *find_block(
    const struct plain *plain, uint64_t key, struct heapmap_unit **unit)
{
    *unit = heapmap_find_unit(plain->map, key);
    struct heapmap_entry *entry =
        RARELY(!(*unit)->blocks) ? NULL : heapmap_find(*unit, heapmap_tag(key));
    bool is_there = entry && entry->cell && entry->size < HEAPMAP_LARGE;
    return RARELY(!is_there) ? NULL : entry;
}

FAST void take_out(struct plain *plain, struct heapmap_unit *unit, struct heapmap_entry *entry,
    const struct block *block, bool has_more)
{
    if (has_more && plain->forks_care) {
        forks_gone(plain->image, block, plain->ring->forks);
    }
    entry->cell = 0;
    heapmap_count(plain->map, unit, -1);
}

FAST struct block block_in(const struct heapmap_entry *entry, uint64_t key)
{
    return (struct block){key >> 16, entry->size, entry->cell, (uint16_t)entry->tag};
}

/* The slot for a block where none is, or NULL if the map has to be changed for it. */
FAST struct heapmap_entry *find_room(
    const struct plain *plain, uint64_t key, struct heapmap_unit **unit)
{
    *unit = heapmap_find_unit(plain->map, key);
    struct heapmap_entry *entry =
        RARELY(!(*unit)->table) ? NULL : heapmap_find(*unit, heapmap_tag(key));
    bool has_room = entry && !entry->cell && (entry->tag || (*unit)->room);
    return RARELY(!has_room) ? NULL : entry;
}

FAST void put_in(struct plain *plain, struct heapmap_unit *unit, struct heapmap_entry *entry,
    const struct block *block)
{
    heapmap_count(plain->map, unit, 1);
    unit->room = (uint16_t)(unit->room - !entry->tag);
    entry->tag = heapmap_tag(heapmap_key(block->address)) | plain->stamp;
    entry->size = (uint32_t)block->size;
    entry->cell = block->cell;
}

/* ---- events ---- */

FAST void log_plain(const struct plain *plain, enum log_kind kind, const struct block *block)
{
    if (plain->image->log) {
        const struct ring *ring = plain->ring;
        eventlog_add(plain->image->log, plain->accounts, kind, block, ring->thread, ring->time_us);
    }
}

/* Whether the event with that number is the next one; then it is taken. */
FAST bool is_turn(const struct image *image, uint64_t key, uint64_t sequence)
{
    uint32_t *expected = &image->counting->expected[mt_counter_of(key >> 16)];
    if (*expected != (uint32_t)sequence) {
        return false;
    }
    ++*expected;
    return true;
}

/* An allocation that the very next event frees. */
FAST uint64_t take_both(struct plain *plain, struct cell *cell, uint32_t domain, uint64_t size)
{
    struct account *own = &plain->image->account, *all = &plain->accounts->all;
    struct sizes *sizes = &plain->image->counting->sizes;
    uint64_t sum = sum_with(own, size), sum_of_all = sum_with(all, size);
    if (!is_below_peak(own, sum) || !is_below_peak(all, sum_of_all)) {
        return PLAIN_OTHER;
    }
    raise_high(own, sum);
    raise_high(all, sum_of_all);
    cell->allocated_bytes += size;
    cell->allocations++;
    sizes_add(sizes, domain, size, 1);
    sizes->temporary[domain]++;
    plain->ring->last_address = 0;
    plain->image->events += 2;
    return 3;
}

/* A block as ALLOC and REALLOC_END have it; no cell: it is not a plain one. */
FAST struct block read_plain(struct plain *plain, uint64_t w0, uint32_t domain)
{
    uint64_t w1 = plain->words[1];
    struct block block = {.address = (w1 & KEY) >> 16, .size = w0 >> 8 & 0xffffff};
    if (!cell_at_hand(plain, w1 & ~KEY, domain, &block.cell) || RARELY(!block.address) ||
        RARELY(block.size >= HEAPMAP_LARGE)) {
        block.cell = 0;
    }
    return block;
}

FAST void note_size(struct plain *plain, uint32_t domain, const struct block *block)
{
    sizes_add(&plain->image->counting->sizes, domain, block->size, 1);
    plain->ring->last_address = block->address;
    plain->ring->last_domain = domain;
}

FAST void add_to(struct plain *plain, struct cell *cell, uint64_t size)
{
    uint64_t time_us = plain->ring->time_us;
    grow_sum(&plain->image->account, cell, SCOPE_PROCESS, size, time_us);
    grow_sum(&plain->accounts->all, cell, SCOPE_ALL, size, time_us);
    cell->refs++;
    cell->bytes += (int64_t)size;
    cell->blocks++;
    cell->allocated_bytes += size;
    cell->allocations++;
}

FAST uint64_t allocate_plain(struct plain *plain, uint64_t w0, bool is_ordered, bool has_more)
{
    uint32_t domain = w0 >> 4 & 7;
    struct block block = read_plain(plain, w0, domain);
    uint64_t key = heapmap_key(block.address);
    struct cell *cell = &plain->cells[block.cell];
    if (RARELY(!block.cell)) {
        return PLAIN_OTHER;
    }
    if (!is_ordered && !has_more && plain->words[2] == (MT_OP_FREE | key) &&
        plain->published >= 3) {
        uint64_t both = take_both(plain, cell, domain, block.size);
        if (both) {
            return both;
        }
    }
    struct heapmap_unit *unit;
    struct heapmap_entry *entry = find_room(plain, key, &unit);
    if (!entry) {
        return PLAIN_OTHER;
    }
    if (is_ordered && !is_turn(plain->image, key, w0 >> 32)) {
        return PLAIN_WAITS;
    }
    put_in(plain, unit, entry, &block);
    note_size(plain, domain, &block);
    if (has_more) {
        log_plain(plain, LOG_ALLOC, &block);
    }
    add_to(plain, cell, block.size);
    plain->image->events++;
    return 2;
}

FAST void remove_from(struct plain *plain, struct cell *cell, uint64_t size)
{
    cell->refs--;
    shrink_sum(&plain->image->account, cell, SCOPE_PROCESS, size);
    shrink_sum(&plain->accounts->all, cell, SCOPE_ALL, size);
    cell->bytes -= (int64_t)size;
    cell->blocks--;
}

FAST uint64_t release_plain(struct plain *plain, uint64_t w0, bool is_ordered, bool has_more)
{
    struct ring *ring = plain->ring;
    uint64_t key = w0 & KEY;
    struct heapmap_unit *unit;
    struct heapmap_entry *entry = find_block(plain, key, &unit);
    if (!entry) {
        return PLAIN_OTHER;
    }
    struct block block = block_in(entry, key);
    struct cell *cell = &plain->cells[block.cell];
    if (RARELY(cell->merged_into)) {
        return PLAIN_OTHER;
    }
    if (is_ordered && !is_turn(plain->image, key, plain->words[1])) {
        return PLAIN_WAITS;
    }
    take_out(plain, unit, entry, &block, has_more);
    if (block.address == ring->last_address) {
        ring->last_address = 0;
        plain->image->counting->sizes.temporary[ring->last_domain]++;
    }
    if (has_more) {
        log_plain(plain, LOG_FREE, &block);
    }
    if (RARELY(!cell->is_changed)) {
        note_cell(plain, block.cell);
    }
    remove_from(plain, cell, block.size);
    plain->image->events++;
    return is_ordered ? 2 : 1;
}

/* ---- reallocations ---- */

FAST uint64_t begin_plain(struct plain *plain, uint64_t w0, bool is_ordered, bool has_more)
{
    struct ring *ring = plain->ring;
    uint64_t key = w0 & KEY;
    struct heapmap_unit *unit;
    struct heapmap_entry *entry = find_block(plain, key, &unit);
    if (!entry || RARELY(ring->n_moves == PENDING_MOVES)) {
        return PLAIN_OTHER;
    }
    if (is_ordered && !is_turn(plain->image, key, plain->words[1])) {
        return PLAIN_WAITS;
    }
    struct block block = block_in(entry, key);
    take_out(plain, unit, entry, &block, has_more);
    ring->moves[ring->n_moves++] = block;
    return is_ordered ? 2 : 1;
}

FAST void move_between(struct plain *plain, const struct shift *shift)
{
    struct cell *from = shift->from, *to = shift->to;
    uint64_t time_us = plain->ring->time_us;
    shift_sum(&plain->image->account, shift, SCOPE_PROCESS, time_us);
    shift_sum(&plain->accounts->all, shift, SCOPE_ALL, time_us);
    from->refs--;
    from->bytes -= (int64_t)shift->gone;
    from->blocks--;
    to->refs++;
    to->bytes += (int64_t)shift->size;
    to->blocks++;
    to->allocated_bytes += shift->size;
    to->allocations++;
}

FAST uint64_t end_plain(struct plain *plain, uint64_t w0, bool is_ordered, bool has_more)
{
    struct ring *ring = plain->ring;
    uint32_t domain = w0 >> 4 & 15; /* with MT_DOMAIN_PAUSED, which no cell has */
    if (RARELY(!ring->n_moves) || RARELY(domain > MT_DOMAIN_MALLOC)) {
        return PLAIN_OTHER;
    }
    struct block old = ring->moves[ring->n_moves - 1], block = read_plain(plain, w0, domain);
    uint64_t key = heapmap_key(block.address);
    struct cell *from = &plain->cells[old.cell];
    struct heapmap_unit *unit;
    struct heapmap_entry *entry = RARELY(!block.cell) ? NULL : find_room(plain, key, &unit);
    if (!entry || RARELY(!old.cell) || RARELY(from->merged_into)) {
        return PLAIN_OTHER;
    }
    if (is_ordered && !is_turn(plain->image, key, w0 >> 32)) {
        return PLAIN_WAITS;
    }
    ring->n_moves--;
    put_in(plain, unit, entry, &block);
    note_size(plain, domain, &block);
    if (has_more) {
        log_plain(plain, LOG_MOVE_FROM, &old);
        log_plain(plain, LOG_MOVE_TO, &block);
    }
    if (RARELY(!from->is_changed)) {
        note_cell(plain, old.cell);
    }
    struct shift shift = {from, &plain->cells[block.cell], old.size, block.size};
    move_between(plain, &shift);
    plain->image->events++;
    return 2;
}

/* ---- any event ---- */

FAST uint64_t take_plain(struct plain *plain, bool has_more)
{
    uint64_t w0 = plain->words[0];
    switch ((enum mt_op)(w0 & 15)) {
    case MT_OP_ALLOC:
        return allocate_plain(plain, w0, false, has_more);
    case MT_OP_FREE:
        return release_plain(plain, w0, false, has_more);
    case MT_OP_ALLOC_SEQ:
        return allocate_plain(plain, w0, true, has_more);
    case MT_OP_FREE_SEQ:
        return release_plain(plain, w0, true, has_more);
    case MT_OP_REALLOC_BEGIN:
        return begin_plain(plain, w0, false, has_more);
    case MT_OP_REALLOC_BEGIN_SEQ:
        return begin_plain(plain, w0, true, has_more);
    case MT_OP_REALLOC_END:
        return end_plain(plain, w0, false, has_more);
    case MT_OP_REALLOC_END_SEQ:
        return end_plain(plain, w0, true, has_more);
    default:
        return PLAIN_OTHER;
    }
}

/* ---- ahead ---- */

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

static void look_for(const struct heapmap *map, uint64_t key)
{
    const struct heapmap_unit *unit = heapmap_find_unit(map, key);
    if (unit->table) {
        __builtin_prefetch(heapmap_first(unit, heapmap_tag(key)));
    }
}

/* Fetches what the map and the ring's sites have for the next events; the word that is next. */
static uint64_t look_ahead(const struct plain *plain, uint64_t at, uint64_t end)
{
    const struct ring *ring = plain->ring;
    at = at < ring->tail ? ring->tail : at;
    end = ring->tail + PLAIN_WORDS < end ? ring->tail + PLAIN_WORDS : end;
    while (at + 1 < end) {
        const uint64_t *words = &ring->words[at & ring->mask];
        struct shape shape = shapes[words[0] & 15];
        if (!shape.words) {
            break;
        }
        look_for(plain->map, words[shape.address] & KEY);
        if (shape.address) {
            uintptr_t sites = (uintptr_t)ring->sites; /* there may be none yet */
            __builtin_prefetch(
                (const void *)(sites + (words[1] & ~KEY) * 4 * sizeof(*ring->sites)));
        }
        at += shape.words;
    }
    return at;
}

/* ---- the loop ---- */

/* What an event changes beside the amounts is left to the long way: samples, forks that are not
   seen yet, what is taken up after a kill. */
static bool is_plain(const struct accounts *accounts, const struct ring *ring)
{
    const struct image *image = ring->image;
    return image->announced && !accounts->sample_bytes && ring->forks == image->forks.seen &&
           !ring->again && !ring->size_high && !ring->own && image->blocks.capacity;
}

/* is_far: what the map has is not in a cache; has_more: than the map and the accounts for each
   event. */
FAST bool take_all(
    struct plain *plain, uint64_t *ahead, uint64_t end, uint64_t head, bool is_far, bool has_more)
{
    struct ring *ring = plain->ring;
    for (uint64_t tail = ring->tail; tail < end;) {
        plain->words = &ring->words[tail & ring->mask];
        plain->published = head - tail;
        __builtin_prefetch(plain->words + AHEAD_WORDS);
        if (is_far && *ahead < tail + PLAIN_WORDS / 2) {
            *ahead = look_ahead(plain, *ahead, head);
        }
        uint64_t words = take_plain(plain, has_more);
        if (RARELY(words == PLAIN_OTHER) || RARELY(words == PLAIN_WAITS)) {
            return words == PLAIN_OTHER;
        }
        tail += words;
        ring->tail = tail;
    }
    return true;
}

bool plain_take(
    struct accounts *accounts, struct ring *ring, uint64_t *ahead, uint64_t end, uint64_t head)
{
    struct image *image = ring->image;
    if (!is_plain(accounts, ring)) {
        return true;
    }
    struct plain plain = {.accounts = accounts,
        .ring = ring,
        .image = image,
        .map = &image->blocks,
        .cells = accounts->cells,
        .now = tag_of_now(accounts),
        .stamp = forks_stamp(&image->forks, ring->forks),
        .forks_care = forks_care(&image->forks, ring->forks)};
    if (plain.forks_care || image->log) {
        return take_all(&plain, ahead, end, head, true, true);
    }
    return heapmap_is_large(plain.map) ? take_all(&plain, ahead, end, head, true, false)
                                       : take_all(&plain, ahead, end, head, false, false);
}
