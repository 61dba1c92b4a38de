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

#define FAST static inline __attribute__((always_inline))
#define RARELY(condition) __builtin_expect(condition, 0)

/* The address of a block in the word of an event that has it is where the map's keys have it. */
#define KEY ~(uint64_t)(MT_NODE_LIMIT - 1)

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

/* ---- accounts ---- */

FAST void keep_peak_of(struct account *account, struct cell *cell, int scope)
{
    if (RARELY(account->peak.rising || cell->epochs[scope] != account->peak.epoch)) {
        accounts_keep_peak(account, cell, scope);
    }
}

FAST uint64_t *total_for(struct account *account, bool is_native)
{
    _Static_assert(offsetof(struct totals, native) == offsetof(struct totals, python) + 8, "");
    return &account->now.python + is_native;
}

/* `high` is never more than the peak, nor less than what is live. */
FAST void grow_sum(struct account *account, struct cell *cell, int scope, bool is_native,
    uint64_t size, uint64_t time_us)
{
    uint64_t sum = account->now.python + account->now.native + size;
    if (sum > account->high) {
        account->high = sum;
        if (sum > account->peak.best) {
            account->peak.best = sum;
            account->peak.time_us = time_us;
            account->peak.rising = account->peak.unwritten = true;
            goto apply;
        }
    }
    keep_peak_of(account, cell, scope);
apply:
    *total_for(account, is_native) += size;
    account->now.blocks++;
}

FAST void shrink_sum(
    struct account *account, struct cell *cell, int scope, bool is_native, uint64_t size)
{
    keep_peak_of(account, cell, scope);
    *total_for(account, is_native) -= size;
    account->now.blocks--;
}

/* False if the sum with a block that comes and goes at once may be a peak. */
FAST bool is_below_peak(const struct account *account, uint64_t sum)
{
    return !account->peak.rising && sum <= account->peak.best;
}

FAST void raise_high(struct account *account, uint64_t sum)
{
    account->high = sum > account->high ? sum : account->high;
}

FAST uint64_t sum_with(const struct account *account, uint64_t size)
{
    return account->now.python + account->now.native + size;
}

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

/* ---- events ---- */

FAST void log_plain(
    const struct plain *plain, enum log_kind kind, uint64_t key, uint64_t size, uint32_t cell)
{
    if (plain->image->log) {
        struct block block = {.address = key >> 16, .size = size, .cell = cell};
        const struct ring *ring = plain->ring;
        eventlog_add(plain->image->log, plain->accounts, kind, &block, ring->thread, ring->time_us);
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

FAST void add_to(struct plain *plain, struct cell *cell, uint32_t domain, uint64_t size)
{
    bool is_native = domain == MT_DOMAIN_MALLOC;
    uint64_t time_us = plain->ring->time_us;
    grow_sum(&plain->image->account, cell, SCOPE_PROCESS, is_native, size, time_us);
    grow_sum(&plain->accounts->all, cell, SCOPE_ALL, is_native, size, time_us);
    cell->refs++;
    cell->bytes += (int64_t)size;
    cell->blocks++;
    cell->allocated_bytes += size;
    cell->allocations++;
}

FAST uint64_t allocate_plain(struct plain *plain, uint64_t w0, bool is_ordered, bool has_more)
{
    struct image *image = plain->image;
    struct heapmap *map = plain->map;
    struct ring *ring = plain->ring;
    uint64_t w1 = plain->words[1], key = w1 & KEY, size = w0 >> 8 & 0xffffff;
    uint32_t domain = w0 >> 4 & 7, id;
    struct cell *cell = cell_at_hand(plain, w1 & ~KEY, domain, &id);
    if (RARELY(!cell) || RARELY(!key) || RARELY(size >= HEAPMAP_LARGE)) {
        return PLAIN_OTHER;
    }
    if (!is_ordered && !has_more && plain->words[2] == (MT_OP_FREE | key) &&
        plain->published >= 3) {
        uint64_t both = take_both(plain, cell, domain, size);
        if (both) {
            return both;
        }
    }
    struct heapmap_unit *unit = heapmap_find_unit(map, key);
    uint32_t tag = heapmap_tag(key);
    struct heapmap_entry *entry = RARELY(!unit->table) ? NULL : heapmap_find(unit, tag);
    if (RARELY(!entry) || RARELY(entry->cell) || RARELY(!entry->tag && !unit->room)) {
        return PLAIN_OTHER;
    }
    if (is_ordered && !is_turn(image, key, w0 >> 32)) {
        return PLAIN_WAITS;
    }
    heapmap_count(map, unit, 1);
    unit->room = (uint16_t)(unit->room - !entry->tag);
    entry->tag = tag | plain->stamp;
    entry->size = (uint32_t)size;
    entry->cell = id;
    sizes_add(&image->counting->sizes, domain, size, 1);
    ring->last_address = key >> 16;
    ring->last_domain = domain;
    if (has_more) {
        log_plain(plain, LOG_ALLOC, key, size, id);
    }
    add_to(plain, cell, domain, size);
    image->events++;
    return 2;
}

FAST void remove_from(struct plain *plain, struct cell *cell, uint64_t size)
{
    bool is_native = cell->domain == MT_DOMAIN_MALLOC;
    cell->refs--;
    shrink_sum(&plain->image->account, cell, SCOPE_PROCESS, is_native, size);
    shrink_sum(&plain->accounts->all, cell, SCOPE_ALL, is_native, size);
    cell->bytes -= (int64_t)size;
    cell->blocks--;
}

FAST uint64_t release_plain(struct plain *plain, uint64_t w0, bool is_ordered, bool has_more)
{
    struct image *image = plain->image;
    struct ring *ring = plain->ring;
    uint64_t key = w0 & KEY;
    struct heapmap_unit *unit = heapmap_find_unit(plain->map, key);
    struct heapmap_entry *entry =
        RARELY(!unit->blocks) ? NULL : heapmap_find(unit, heapmap_tag(key));
    if (RARELY(!entry)) {
        return PLAIN_OTHER;
    }
    uint32_t id = entry->cell, size = entry->size;
    struct cell *cell = &plain->cells[id];
    if (RARELY(!id) || RARELY(size >= HEAPMAP_LARGE) || RARELY(cell->merged_into)) {
        return PLAIN_OTHER;
    }
    if (is_ordered && !is_turn(image, key, plain->words[1])) {
        return PLAIN_WAITS;
    }
    if (has_more && plain->forks_care) {
        struct block block = {key >> 16, size, id, (uint16_t)entry->tag};
        forks_gone(image, &block, ring->forks);
    }
    entry->cell = 0;
    heapmap_count(plain->map, unit, -1);
    if (key >> 16 == ring->last_address) {
        ring->last_address = 0;
        image->counting->sizes.temporary[ring->last_domain]++;
    }
    if (has_more) {
        log_plain(plain, LOG_FREE, key, size, id);
    }
    if (RARELY(!cell->is_changed)) {
        note_cell(plain, id);
    }
    remove_from(plain, cell, size);
    image->events++;
    return is_ordered ? 2 : 1;
}

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
            __builtin_prefetch(&ring->sites[4 * (words[1] & ~KEY)]);
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
