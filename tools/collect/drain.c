/*
 * Decoding, ordering and accounting of events (drain.h).  In the collector.  Most events never
 * come here: plain.c takes them.
 */
#include "collect/drain.h"

#include <stdlib.h>
#include <string.h>

#include "collect/maps.h"
#include "collect/memory.h"
#include "collect/natives.h"
#include "collect/plain.h"
#include "collect/ringdefs.h"
#include "collect/spreads.h"
#include "memtrace/format.h"

#define TEXT_MAX (16u << 20) /* of scratch text; beyond, the record that uses it has none */
#define SPACE (1ull << 47)   /* a program's addresses lie below it, and so do its sizes */

struct drain {
    struct collector *collector;
    struct accounts *accounts;
    struct ring *ring;
    const struct drain_events *events;
};

static inline uint32_t cell_of(struct drain *drain, uint32_t node, uint32_t domain)
{
    struct ring *ring = drain->ring;
    size_t at = 4 * (size_t)node + domain;
    if (domain > MT_DOMAIN_MALLOC || at >= ring->sites_capacity || ring->own) {
        return accounts_cell(
            drain->accounts, ringdefs_site(ring, &drain->accounts->definitions, node, domain));
    }
    struct ring_site *site = &ring->sites[at];
    if (!site->site) {
        site->site = ringdefs_site(ring, &drain->accounts->definitions, node, domain);
    }
    if (!accounts_is_now(drain->accounts, site->cell, site->site)) {
        site->cell = accounts_cell(drain->accounts, site->site);
    }
    return site->cell;
}

/* ---- blocks ---- */

/* After a gap, a free of an unknown block and a second allocation at an address are what the
   lost events leave behind; the gap is reported, they would say the same again. */
static bool is_after_gap(const struct drain *drain)
{
    const struct image *image = drain->ring->image;
    return image->gap_events || drain->events->has_gap(drain->collector, image);
}

/* Live memory has changed: does a fork count it that the ring is ahead of, or behind? */
static inline void note_forks(
    struct accounts *accounts, const struct ring *ring, const struct block *block, int64_t sign)
{
    if (__builtin_expect(ring->forks != ring->image->forks.seen, 0)) {
        struct weight weight = spreads_weight(accounts, block->address, block->size);
        forks_note(accounts, ring->image, ring->forks, sign * weight.bytes, sign * weight.blocks);
    }
}

/* Before the accounts: a cell may go with its last block. */
static inline void log_block(const struct accounts *accounts, const struct ring *ring,
    enum log_kind kind, const struct block *block)
{
    if (__builtin_expect(ring->image->log != NULL, 0)) {
        eventlog_add(ring->image->log, accounts, kind, block, ring->thread, ring->time_us);
    }
}

static inline void add_block(
    struct accounts *accounts, const struct ring *ring, const struct block *block)
{
    log_block(accounts, ring, LOG_ALLOC, block);
    if (__builtin_expect(accounts->sample_bytes != 0, 0)) {
        spreads_add(accounts, &ring->image->account, block, ring->time_us);
    } else {
        accounts_add(accounts, &ring->image->account, block->cell, block->size, ring->time_us);
    }
    note_forks(accounts, ring, block, 1);
}

static inline void remove_block(
    struct accounts *accounts, const struct ring *ring, const struct block *block)
{
    log_block(accounts, ring, LOG_FREE, block);
    if (__builtin_expect(accounts->sample_bytes != 0, 0)) {
        spreads_remove(accounts, &ring->image->account, block);
    } else {
        accounts_remove(accounts, &ring->image->account, block->cell, block->size);
    }
    note_forks(accounts, ring, block, -1);
}

static void move_block(struct accounts *accounts, const struct ring *ring, const struct block *old,
    const struct block *block)
{
    struct account *account = &ring->image->account;
    log_block(accounts, ring, LOG_MOVE_FROM, old);
    log_block(accounts, ring, LOG_MOVE_TO, block);
    if (accounts->sample_bytes) {
        spreads_move(accounts, account, old, block, ring->time_us);
    } else {
        accounts_move(
            accounts, account, old->cell, old->size, block->cell, block->size, ring->time_us);
    }
    note_forks(accounts, ring, old, -1);
    note_forks(accounts, ring, block, 1);
}

static void count_duplicate(struct drain *drain, const struct block *old)
{
    struct image *image = drain->ring->image;
    image->duplicate_allocations += !is_after_gap(drain) && !drain->ring->again;
    remove_block(drain->accounts, drain->ring, old);
}

static inline void count_size(struct drain *drain, uint32_t domain, const struct block *block)
{
    struct ring *ring = drain->ring;
    struct sizes *sizes = &ring->image->counting->sizes;
    if (__builtin_expect(drain->accounts->sample_bytes != 0, 0)) {
        sizes_add(sizes, domain, block->size, spreads_count(drain->accounts, block->size));
        return; /* what was allocated in between is not known */
    }
    sizes_add(sizes, domain, block->size, 1);
    ring->last_address = block->address;
}

static inline void count_temporary(struct drain *drain, const struct block *block)
{
    struct ring *ring = drain->ring;
    if (block->address == ring->last_address) {
        ring->last_address = 0;
        ring->image->counting->sizes.temporary[drain->accounts->cells[block->cell].domain]++;
    }
}

/* What is no domain of blocks is native memory: somebody has written into the ring. */
static inline uint32_t domain_of(uint64_t w0)
{
    uint32_t domain = w0 >> 4 & 7;
    return domain < MT_DOMAIN_MALLOC ? domain : MT_DOMAIN_MALLOC;
}

static inline __attribute__((always_inline)) struct block read_block(struct drain *drain)
{
    struct ring *ring = drain->ring;
    uint64_t w0 = ring_word(ring, 0), w1 = ring_word(ring, 1);
    struct block block = {
        .address = w1 >> 19 << 3,
        .size = (w0 >> 8 & 0xffffff) | ring->size_high << 24,
        .cell = cell_of(drain, w1 & (MT_NODE_LIMIT - 1), domain_of(w0)),
        .stamp = forks_stamp(&ring->image->forks, ring->forks),
    };
    ring->size_high = 0;
    return block;
}

static inline void allocate(struct drain *drain)
{
    struct image *image = drain->ring->image;
    struct block block = read_block(drain), old;
    if (!block.address) {
        return; /* nobody's block: damage */
    }
    if (!heapmap_put(&image->blocks, &block, &old)) {
        count_duplicate(drain, &old);
    }
    count_size(drain, domain_of(ring_word(drain->ring, 0)), &block);
    add_block(drain->accounts, drain->ring, &block);
}

static void count_unknown(const struct drain *drain, uint64_t address)
{
    struct image *image = drain->ring->image;
    if (image_is_forked(image) && drain->events->release(drain->collector, drain->ring, address)) {
        image->inherited_frees++;
    } else if (image->was_paused) {
        image->paused_frees++;
    } else {
        image->unknown_frees += !is_after_gap(drain) && !drain->ring->again;
    }
}

/* Takes the block at an address out of the map; false if there is none. */
static inline bool take_block(const struct drain *drain, uint64_t address, struct block *block)
{
    struct image *image = drain->ring->image;
    if (!heapmap_take(&image->blocks, address, block)) {
        count_unknown(drain, address);
        return false;
    }
    if (__builtin_expect(forks_care(&image->forks, drain->ring->forks), 0)) {
        forks_gone(image, block, drain->ring->forks);
    }
    return true;
}

static inline void release(struct drain *drain)
{
    struct ring *ring = drain->ring;
    struct block block;
    if (take_block(drain, ring_word(ring, 0) >> 19 << 3, &block)) {
        count_temporary(drain, &block);
        remove_block(drain->accounts, ring, &block);
    }
}

static void begin_move(struct drain *drain)
{
    struct ring *ring = drain->ring;
    struct block block;
    if (ring->n_moves == PENDING_MOVES) {
        return; /* deeper than signal handlers nest; the ends without a begin are allocations */
    }
    if (!take_block(drain, ring_word(ring, 0) >> 19 << 3, &block)) {
        block = (struct block){0};
    }
    ring->moves[ring->n_moves++] = block;
}

static void end_move(struct drain *drain)
{
    struct ring *ring = drain->ring;
    struct image *image = ring->image;
    bool paused = ring_word(ring, 0) >> 4 & MT_DOMAIN_PAUSED;
    struct block block = read_block(drain), replaced;
    struct block old = ring->n_moves ? ring->moves[--ring->n_moves] : (struct block){0};
    if (paused && !old.cell) {
        return; /* it was not recorded, nor is it now */
    }
    block.address = block.address ? block.address : 8; /* no address is damage */
    if (!heapmap_put(&image->blocks, &block, &replaced)) {
        count_duplicate(drain, &replaced);
    }
    count_size(drain, domain_of(ring_word(ring, 0)), &block);
    if (old.cell) {
        move_block(drain->accounts, ring, &old, &block);
    } else {
        add_block(drain->accounts, ring, &block);
    }
}

/* The block is no sample any more. */
static void lose_moved(struct drain *drain)
{
    struct ring *ring = drain->ring;
    const struct block *old = ring->n_moves ? &ring->moves[--ring->n_moves] : NULL;
    if (old && old->cell) {
        remove_block(drain->accounts, ring, old);
    }
}

/* False if another block is at the old address by now. */
static bool cancel_move(struct accounts *accounts, struct ring *ring)
{
    struct image *image = ring->image;
    struct block newer, same;
    if (!ring->n_moves) {
        return true;
    }
    const struct block *old = &ring->moves[--ring->n_moves];
    if (!old->cell || heapmap_put(&image->blocks, old, &newer)) {
        return true;
    }
    heapmap_put(&image->blocks, &newer, &same);
    remove_block(accounts, ring, old);
    return false;
}

/* What a hostile program says that it lost may be any number; counts of ones stay below half of it. */
static void add_lost(uint64_t *sum, uint64_t more)
{
    const uint64_t most = MT_AMOUNT_MOST / 2;
    *sum = *sum > most || more > most - *sum ? most : *sum + more;
}

void drain_last_gap(struct ring *ring)
{
    struct image *image = ring->image;
    uint64_t events = atomic_load(&ring->shared->lost_events);
    uint64_t bytes = atomic_load(&ring->shared->lost_bytes);
    add_lost(&image->gap_events, events > ring->gap_events ? events - ring->gap_events : 0);
    add_lost(&image->gap_bytes, bytes > ring->gap_bytes ? bytes - ring->gap_bytes : 0);
    image->gap_events += ring->shared->magic != MT_RING_MAGIC; /* the file was cut short */
}

void drain_cancel_moves(struct accounts *accounts, struct ring *ring)
{
    while (ring->n_moves) {
        cancel_move(accounts, ring);
    }
    maps_stay(accounts, ring);
}

/* A gap: whether a move that was begun came to its end is lost, most do.  Its end, if that is
   still to come, counts as an allocation. */
static void begin_anew(struct drain *drain)
{
    struct ring *ring = drain->ring;
    struct image *image = ring->image;
    while (ring->n_moves) {
        const struct block *old = &ring->moves[--ring->n_moves];
        if (old->cell) {
            remove_block(drain->accounts, ring, old);
        }
    }
    maps_go(drain->accounts, ring);
    ring->text.size = 0;
    ring->size_high = 0;
    add_lost(&ring->gap_events, ring_word(ring, 1));
    add_lost(&image->gap_events, ring_word(ring, 1));
    add_lost(&image->gap_bytes, ring_word(ring, 2));
    add_lost(&ring->gap_bytes, ring_word(ring, 2));
}

/* ---- order ---- */

/* The number that an event of the _SEQ kind waits for, and its counter. */
static inline bool in_turn(struct image *image, uint64_t address, uint32_t sequence)
{
    uint32_t *expected = &image->counting->expected[mt_counter_of(address)];
    if (*expected != sequence) {
        return false;
    }
    ++*expected;
    return true;
}

static bool in_map_turn(struct image *image, uint64_t sequence)
{
    if (sequence == MT_SEQ_NONE) {
        return true;
    }
    if (image->expected_map != sequence) {
        return false;
    }
    image->expected_map++;
    return true;
}

/* The counter that the first event waits for, and the number that it has. */
static bool waits_for(const struct ring *ring, uint32_t *counter, uint64_t *number)
{
    uint64_t w0 = ring_word(ring, 0), w1 = ring_word(ring, 1);
    switch (w0 & 15) {
    case MT_OP_ALLOC_SEQ:
    case MT_OP_REALLOC_END_SEQ:
        *counter = mt_counter_of(w1 >> 19 << 3);
        *number = (uint32_t)(w0 >> 32);
        return true;
    case MT_OP_FREE_SEQ:
    case MT_OP_REALLOC_BEGIN_SEQ:
        *counter = mt_counter_of(w0 >> 19 << 3);
        *number = (uint32_t)w1;
        return true;
    case MT_OP_META:
        *counter = MT_MAP_COUNTER;
        *number = ring_word(ring, 3);
        return (w0 >> 4 & 0xff) != MT_META_DEPEND;
    default:
        return false;
    }
}

static uint64_t head_of(const struct ring *ring)
{
    return ring->is_bounded ? ring->bound
                            : atomic_load_explicit(&ring->shared->head, memory_order_acquire);
}

static bool is_empty(const struct ring *ring)
{
    return ring->tail >= head_of(ring);
}

bool drain_waits_for_ring(const struct ring *ring, uint32_t *number)
{
    *number = is_empty(ring) ? 0 : (uint32_t)ring_word(ring, 1);
    return !is_empty(ring) && (ring_word(ring, 0) & 0xfff) == (MT_OP_META | MT_META_DEPEND << 4);
}

uint64_t drain_hole(const struct ring *ring)
{
    uint32_t counter;
    uint64_t number;
    if (is_empty(ring)) {
        return UINT64_MAX;
    }
    if (!waits_for(ring, &counter, &number)) {
        return UINT64_MAX - 1; /* for another ring, which has nothing more: last of all */
    }
    return counter == MT_MAP_COUNTER ? number - ring->image->expected_map
                                     : (uint32_t)number - ring->image->counting->expected[counter];
}

void drain_skip_hole(struct ring *ring)
{
    uint32_t counter;
    uint64_t number;
    if (!waits_for(ring, &counter, &number)) {
        ring->tail += 3; /* a DEPEND on what that ring did not come to */
    } else if (counter == MT_MAP_COUNTER) {
        ring->image->expected_map = number;
    } else {
        ring->image->counting->expected[counter] = (uint32_t)number;
    }
}

/* ---- what the program says ---- */

/* The name in the scratch text. */
static uint32_t take_name(struct drain *drain)
{
    struct buffer *text = &drain->ring->text;
    uint32_t name = definitions_string(&drain->accounts->definitions,
        text->size ? text->data : (uint8_t *)"", (uint32_t)text->size);
    text->size = 0;
    return name;
}

static uint32_t own_node(struct definitions *definitions)
{
    uint32_t name = definitions_string(definitions, "<memtrace>", 10);
    struct function_record function = {.file = name, .name = name};
    struct node_record node = {.function = definitions_function(definitions, &function)};
    return definitions_node(definitions, &node);
}

/* ---- the loop ---- */

enum { WAITS = 0 }; /* no words taken: the event must wait for another ring */

#define DAMAGE UINT64_MAX /* all words taken: there is no telling where the next event begins */

static uint64_t take_text(struct ring *ring, uint32_t size)
{
    if (size > ring->mask * 8) {
        return DAMAGE;
    }
    if (ring->text.size + size <= TEXT_MAX) {
        buffer_append(&ring->text, &ring->words[(ring->tail + 1) & ring->mask], size);
    }
    return 1 + (size + 7) / 8;
}

static uint64_t take_meta(struct drain *drain)
{
    struct ring *ring = drain->ring;
    uint64_t w = ring_word(ring, 0);
    uint32_t a = w >> 12 & 0xfffff, b = (uint32_t)(w >> 32);
    switch ((enum mt_meta)(w >> 4 & 0xff)) {
    case MT_META_BYTES:
        return take_text(ring, a);
    case MT_META_CODE:
        ringdefs_code(ring, &drain->accounts->definitions, a);
        return 4;
    case MT_META_RESET:
        ringdefs_reset(ring);
        return 1;
    case MT_META_THREAD: {
        uint32_t thread = drain->events->thread(drain->collector, ring, (int)b);
        if (thread != ring->thread && ring->sites) {
            memset(ring->sites, 0, ring->sites_capacity * sizeof(*ring->sites));
        }
        ring->thread = thread;
        return 1;
    }
    case MT_META_THREAD_END:
        return 1;
    case MT_META_THREAD_NAME:
        drain->events->thread_name(drain->collector, ring, take_name(drain), (enum mt_name)a);
        return 1;
    case MT_META_PYTHON:
        drain->events->python(drain->collector, ring, (int)a, b);
        return 1;
    case MT_META_DEPEND:
        return drain->events->reached(
                   drain->collector, (uint32_t)ring_word(ring, 1), ring_word(ring, 2))
                   ? 3
                   : WAITS;
    case MT_META_PROCESS:
        drain->events->process(drain->collector, ring, ring_word(ring, 1), ring_word(ring, 2));
        ring->text.size = 0;
        return 3;
    case MT_META_END:
        drain->events->end(drain->collector, ring);
        return 1;
    case MT_META_GAP:
        begin_anew(drain);
        return 3;
    case MT_META_MAP:
        if (!in_map_turn(ring->image, ring_word(ring, 3))) {
            return WAITS;
        }
        maps_map(drain->accounts, ring, a, b);
        return 4;
    case MT_META_UNMAP:
        if (!in_map_turn(ring->image, ring_word(ring, 3))) {
            return WAITS;
        }
        maps_unmap(drain->accounts, ring, b);
        return 4;
    case MT_META_MARK:
        drain->events->mark(drain->collector, ring, take_name(drain));
        return 1;
    case MT_META_REGION_BEGIN:
        drain->events->region_begin(drain->collector, ring, b, take_name(drain));
        return 1;
    case MT_META_REGION_END:
        drain->events->region_end(drain->collector, ring, b, (uint32_t)ring_word(ring, 1));
        return 2;
    case MT_META_PAUSE:
        ring->image->was_paused = true;
        drain->events->pause(drain->collector, ring, b);
        return 1;
    case MT_META_RESUME:
        return 1;
    case MT_META_ASK:
        drain->events->ask(drain->collector, ring, b);
        return 1;
    case MT_META_MODULE:
        natives_define_module(ring, &drain->accounts->definitions, a, ring_word(ring, 1),
            (uint32_t)ring_word(ring, 3), b);
        return 4;
    case MT_META_OWN:
        ring->own = a ? own_node(&drain->accounts->definitions) : 0;
        return 1;
    case MT_META_FORK:
        ring->forks = b;
        drain->events->fork(drain->collector, ring, b);
        return 1;
    case MT_META_FORKED:
        ring->forks = b;
        return 1;
    }
    return 1;
}

/* One event; returns its words, WAITS if it must wait. */
static inline uint64_t take_event(struct drain *drain)
{
    struct ring *ring = drain->ring;
    struct image *image = ring->image;
    uint64_t w0 = ring_word(ring, 0);
    uint32_t op = w0 & 15;
    if (op == MT_OP_FREE || op == MT_OP_FREE_SEQ) { /* most are this, or ALLOC */
        if (op != MT_OP_FREE && !in_turn(image, w0 >> 19 << 3, (uint32_t)ring_word(ring, 1))) {
            return WAITS;
        }
        image->events++;
        release(drain);
        return op == MT_OP_FREE ? 1 : 2;
    }
    switch (op) {
    case MT_OP_ALLOC_SEQ:
    case MT_OP_REALLOC_END_SEQ:
        if (!in_turn(image, ring_word(ring, 1) >> 19 << 3, (uint32_t)(w0 >> 32))) {
            return WAITS;
        }
        break;
    case MT_OP_REALLOC_BEGIN_SEQ:
        if (!in_turn(image, w0 >> 19 << 3, (uint32_t)ring_word(ring, 1))) {
            return WAITS;
        }
        break;
    }
    switch (op) {
    case MT_OP_ALLOC:
    case MT_OP_ALLOC_SEQ:
        image->events++;
        allocate(drain);
        return 2;
    case MT_OP_REALLOC_BEGIN:
    case MT_OP_REALLOC_BEGIN_SEQ:
        begin_move(drain);
        return op == MT_OP_REALLOC_BEGIN ? 1 : 2;
    case MT_OP_REALLOC_END:
    case MT_OP_REALLOC_END_SEQ:
        image->events++;
        end_move(drain);
        return 2;
    case MT_OP_REALLOC_CANCEL:
        image->duplicate_allocations += !cancel_move(drain->accounts, ring);
        return 1;
    case MT_OP_REALLOC_GONE:
        image->events++;
        lose_moved(drain);
        return 1;
    case MT_OP_SIZE:
        ring->size_high = w0 >> 4 < SPACE >> 24 ? w0 >> 4 : 0;
        return 1;
    case MT_OP_TIME:
        ring->time_us = w0 >> 4 < ring->now_us ? w0 >> 4 : ring->now_us;
        return 1;
    case MT_OP_NODE:
        ringdefs_node(ring, &drain->accounts->definitions);
        return 2;
    case MT_OP_META:
        return take_meta(drain);
    default:
        return DAMAGE;
    }
}

/* A process whose first record is not what it is: a hostile or a damaged one. */
static void introduce(struct drain *drain)
{
    uint64_t w = ring_word(drain->ring, 0);
    uint32_t meta = w >> 4 & 0xff;
    bool is_introduced =
        (w & 15) == MT_OP_META &&
        (meta == MT_META_BYTES || meta == MT_META_PROCESS || meta == MT_META_DEPEND);
    if (!is_introduced) {
        drain->ring->text.size = 0;
        drain->events->process(drain->collector, drain->ring, 0, 0);
    }
}

uint64_t drain_ring(struct collector *collector, struct accounts *accounts, struct ring *ring,
    const struct drain_events *events, uint64_t limit)
{
    struct drain drain = {collector, accounts, ring, events};
    uint64_t start = ring->tail;
    uint64_t ahead = 0;
    uint64_t head = head_of(ring);
    if (head - ring->tail > ring->mask + 1) { /* nobody can have written so much */
        ring->image->gap_events++;
        ring->tail = head;
        return 1;
    }
    uint64_t end = head - start > limit ? start + limit : head;
    while (ring->tail < end) {
        if (__builtin_expect(!ring->image->announced, 0)) {
            introduce(&drain);
        }
        if (!plain_take(accounts, ring, &ahead, end, head)) {
            break;
        }
        if (ring->tail >= end) {
            ring->tail = ring->tail < head ? ring->tail : head; /* no more than was published */
            break;
        }
        uint64_t taken = take_event(&drain);
        if (taken == WAITS) {
            break;
        }
        ring->image->gap_events += taken == DAMAGE;
        ring->tail = taken < head - ring->tail ? ring->tail + taken : head;
        ring->again = false;
    }
    return ring->tail - start;
}

void drain_free(struct ring *ring)
{
    ringdefs_free(ring);
    rangemap_free(&ring->moving);
    buffer_free(&ring->text);
}
