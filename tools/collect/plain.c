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
#include "collect/ringdefs.h"
#include "collect/tally.h"

/* The address of a block in the word of an event that has it is where the map's keys have it. */
#define KEY ~(uint64_t)(MT_NODE_LIMIT - 1)

#define NO_DOMAIN ((MT_DOMAIN_MALLOC + 1ull) << 4) /* in the word of an event: of no block */

#define FETCHED_WORDS 64u /* of the ring, before they are read */

struct plain {
    struct accounts *accounts;
    struct ring *ring;
    struct image *image;
    struct heapmap *map;
    struct cell *cells;
    struct sizes *sizes;
    uint64_t now; /* what tells a cell of now */
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

/* What ALLOC and REALLOC_END say of a block. */
struct said {
    uint64_t key, size;
    uint32_t domain, id;
    struct cell *cell; /* NULL: it is not a plain one */
};

FAST struct said read_said(struct plain *plain, const uint64_t *words)
{
    uint64_t w0 = words[0], w1 = words[1];
    struct said said = {.key = w1 & KEY, .size = w0 >> 8 & 0xffffff, .domain = w0 >> 4 & 3};
    bool is_plain = said.key && said.size < HEAPMAP_LARGE && !(w0 & NO_DOMAIN);
    said.cell = RARELY(!is_plain) ? NULL : cell_at_hand(plain, w1 & ~KEY, said.domain, &said.id);
    return said;
}

/* ---- the map ---- */

/* Where a block is or would be, or NULL. */
FAST struct heapmap_entry *slot_of(
    const struct plain *plain, uint64_t key, struct heapmap_unit **unit)
{
    *unit = heapmap_find_unit(plain->map, key);
    return RARELY(!(*unit)->table) ? NULL : heapmap_find(*unit, heapmap_tag(key));
}

/* The slot of a block that is there and small, or NULL. */
FAST struct heapmap_entry *live_slot(
    const struct plain *plain, uint64_t key, struct heapmap_unit **unit)
{
    struct heapmap_entry *entry = slot_of(plain, key, unit);
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
    heapmap_lose(plain->map, unit);
}

FAST struct block block_in(const struct heapmap_entry *entry, uint64_t key)
{
    return (struct block){key >> 16, entry->size, entry->cell, (uint16_t)entry->tag};
}

/* The slot for a block where none is, or NULL if the map has to be changed for it. */
FAST struct heapmap_entry *free_slot(
    const struct plain *plain, uint64_t key, struct heapmap_unit **unit)
{
    struct heapmap_entry *entry = slot_of(plain, key, unit);
    bool has_room = entry && !entry->cell && (entry->tag || heapmap_room(*unit));
    return RARELY(!has_room) ? NULL : entry;
}

FAST void put_in(struct plain *plain, struct heapmap_unit *unit, struct heapmap_entry *entry,
    const struct said *said)
{
    heapmap_gain(plain->map, unit);
    if (RARELY(!entry->tag)) {
        heapmap_take_room(unit);
    }
    entry->tag = heapmap_tag(said->key) | plain->stamp;
    entry->size = (uint32_t)said->size;
    entry->cell = said->id;
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

/* An allocation that the very next event frees; false if it may be a peak. */
FAST bool take_both(struct plain *plain, const struct said *said)
{
    struct sizes *sizes = plain->sizes;
    if (!tally_pass(&plain->accounts->tally, said->size)) {
        return false;
    }
    said->cell->allocated_bytes += said->size;
    said->cell->allocations++;
    sizes_add(sizes, said->domain, said->size, 1);
    sizes->temporary[said->domain]++;
    plain->ring->last_address = 0;
    plain->image->events += 2;
    return true;
}

FAST struct block block_said(const struct said *said)
{
    return (struct block){said->key >> 16, said->size, said->id, 0};
}

FAST void note_size(struct plain *plain, const struct said *said)
{
    sizes_add(plain->sizes, said->domain, said->size, 1);
    plain->ring->last_address = said->key >> 16;
}

FAST void add_to(struct plain *plain, const struct said *said)
{
    struct cell *cell = said->cell;
    tally_grow(plain->accounts, cell, said->domain, said->size);
    cell->refs++;
    cell->bytes += (int64_t)said->size;
    cell->blocks++;
    cell->allocated_bytes += said->size;
    cell->allocations++;
}

FAST uint64_t allocate_plain(
    struct plain *plain, const uint64_t *words, uint64_t published, bool is_ordered, bool has_more)
{
    struct said said = read_said(plain, words);
    if (RARELY(!said.cell)) {
        return PLAIN_OTHER;
    }
    if (!is_ordered && !has_more && words[2] == (MT_OP_FREE | said.key) && published >= 3 &&
        take_both(plain, &said)) {
        return 3;
    }
    struct heapmap_unit *unit;
    struct heapmap_entry *entry = free_slot(plain, said.key, &unit);
    if (!entry) {
        return PLAIN_OTHER;
    }
    if (is_ordered && !is_turn(plain->image, said.key, words[0] >> 32)) {
        return PLAIN_WAITS;
    }
    put_in(plain, unit, entry, &said);
    note_size(plain, &said);
    if (has_more) {
        struct block block = block_said(&said);
        log_plain(plain, LOG_ALLOC, &block);
    }
    add_to(plain, &said);
    plain->image->events++;
    return 2;
}

FAST void remove_from(struct plain *plain, struct cell *cell, uint64_t size)
{
    tally_shrink(plain->accounts, cell, size);
    cell->refs--;
    cell->bytes -= (int64_t)size;
    cell->blocks--;
}

FAST uint64_t release_plain(
    struct plain *plain, const uint64_t *words, bool is_ordered, bool is_large, bool has_more)
{
    struct ring *ring = plain->ring;
    uint64_t key = words[0] & KEY;
    if (is_large) {
        heapmap_note_free(plain->map, key);
    }
    struct heapmap_unit *unit;
    struct heapmap_entry *entry = live_slot(plain, key, &unit);
    if (!entry) {
        return PLAIN_OTHER;
    }
    struct block block = block_in(entry, key);
    struct cell *cell = &plain->cells[block.cell];
    if (RARELY(cell->merged_into)) {
        return PLAIN_OTHER;
    }
    if (is_ordered && !is_turn(plain->image, key, words[1])) {
        return PLAIN_WAITS;
    }
    take_out(plain, unit, entry, &block, has_more);
    if (block.address == ring->last_address) {
        ring->last_address = 0;
        plain->sizes->temporary[cell->domain]++;
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

FAST uint64_t begin_plain(
    struct plain *plain, const uint64_t *words, bool is_ordered, bool has_more)
{
    struct ring *ring = plain->ring;
    uint64_t key = words[0] & KEY;
    struct heapmap_unit *unit;
    struct heapmap_entry *entry = live_slot(plain, key, &unit);
    if (!entry || RARELY(ring->n_moves == PENDING_MOVES)) {
        return PLAIN_OTHER;
    }
    if (is_ordered && !is_turn(plain->image, key, words[1])) {
        return PLAIN_WAITS;
    }
    struct block block = block_in(entry, key);
    take_out(plain, unit, entry, &block, has_more);
    ring->moves[ring->n_moves++] = block;
    return is_ordered ? 2 : 1;
}

FAST void move_between(
    struct plain *plain, struct cell *from, uint64_t gone, struct cell *to, uint64_t size)
{
    tally_move(plain->accounts, from, gone, to, size);
    from->refs--;
    from->bytes -= (int64_t)gone;
    from->blocks--;
    to->refs++;
    to->bytes += (int64_t)size;
    to->blocks++;
    to->allocated_bytes += size;
    to->allocations++;
}

FAST uint64_t end_plain(struct plain *plain, const uint64_t *words, bool is_ordered, bool has_more)
{
    struct ring *ring = plain->ring;
    struct said said = read_said(plain, words);
    if (RARELY(!ring->n_moves) || RARELY(words[0] & MT_DOMAIN_PAUSED << 4) || RARELY(!said.cell)) {
        return PLAIN_OTHER;
    }
    struct block old = ring->moves[ring->n_moves - 1];
    struct cell *from = &plain->cells[old.cell];
    struct heapmap_unit *unit;
    struct heapmap_entry *entry = free_slot(plain, said.key, &unit);
    if (!entry || RARELY(!old.cell) || RARELY(from->merged_into)) {
        return PLAIN_OTHER;
    }
    if (is_ordered && !is_turn(plain->image, said.key, words[0] >> 32)) {
        return PLAIN_WAITS;
    }
    ring->n_moves--;
    put_in(plain, unit, entry, &said);
    note_size(plain, &said);
    if (has_more) {
        struct block block = block_said(&said);
        log_plain(plain, LOG_MOVE_FROM, &old);
        log_plain(plain, LOG_MOVE_TO, &block);
    }
    if (RARELY(!from->is_changed)) {
        note_cell(plain, old.cell);
    }
    move_between(plain, from, old.size, said.cell, said.size);
    plain->image->events++;
    return 2;
}

/* ---- any event ---- */

FAST uint64_t take_plain(
    struct plain *plain, const uint64_t *words, uint64_t published, bool is_large, bool has_more)
{
    enum mt_op op = words[0] & 15;
    if (op == MT_OP_ALLOC) { /* most are this */
        return allocate_plain(plain, words, published, false, has_more);
    }
    if (op == MT_OP_FREE) { /* or this */
        return release_plain(plain, words, false, is_large, has_more);
    }
    switch (op) {
    case MT_OP_ALLOC_SEQ:
        return allocate_plain(plain, words, published, true, has_more);
    case MT_OP_FREE_SEQ:
        return release_plain(plain, words, true, is_large, has_more);
    case MT_OP_REALLOC_BEGIN:
        return begin_plain(plain, words, false, has_more);
    case MT_OP_REALLOC_BEGIN_SEQ:
        return begin_plain(plain, words, true, has_more);
    case MT_OP_REALLOC_END:
        return end_plain(plain, words, false, has_more);
    case MT_OP_REALLOC_END_SEQ:
        return end_plain(plain, words, true, has_more);
    case MT_OP_NODE:
        ringdefs_node(plain->ring, &plain->accounts->definitions);
        return 2;
    default:
        return PLAIN_OTHER;
    }
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

/* is_large: the map is in no cache as it is; is_far: what the next event needs of it is not near
   what the last ones did; has_more: than the map and the accounts for each event. */
FAST bool take_all(struct plain *plain, uint64_t *ahead, uint64_t end, uint64_t head, bool is_large,
    bool is_far, bool has_more)
{
    struct ring *ring = plain->ring;
    uint64_t at = is_far ? ahead_begin(ring, plain->map, *ahead, head) : 0;
    bool is_taken = true;
    for (uint64_t tail = ring->tail; tail < end;) {
        const uint64_t *words = &ring->words[tail & ring->mask];
        __builtin_prefetch(words + FETCHED_WORDS);
        if (is_far && at + 1 < head) {
            at = ahead_look(ring, plain->map, at);
        }
        uint64_t taken = take_plain(plain, words, head - tail, is_large, has_more);
        if (RARELY(taken == PLAIN_OTHER) || RARELY(taken == PLAIN_WAITS)) {
            is_taken = taken == PLAIN_OTHER;
            break;
        }
        tail += taken;
        ring->tail = tail;
    }
    *ahead = at;
    return is_taken;
}

static bool take_some(struct plain *plain, uint64_t *ahead, uint64_t end, uint64_t head)
{
    bool is_large = heapmap_is_large(plain->map),
         is_far = is_large && plain->map->near.is_scattered;
    if (plain->forks_care || plain->image->log) {
        return take_all(plain, ahead, end, head, is_large, is_far, true);
    }
    if (is_far) {
        return take_all(plain, ahead, end, head, true, true, false);
    }
    return is_large ? take_all(plain, ahead, end, head, true, false, false)
                    : take_all(plain, ahead, end, head, false, false, false);
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
        .sizes = &image->counting->sizes,
        .now = tag_of_now(accounts),
        .stamp = forks_stamp(&image->forks, ring->forks),
        .forks_care = forks_care(&image->forks, ring->forks)};
    tally_begin(accounts, &image->account, ring->time_us);
    bool is_taken = take_some(&plain, ahead, end, head);
    tally_end(accounts);
    return is_taken;
}
