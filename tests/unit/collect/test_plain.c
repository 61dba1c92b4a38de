/*
 * The short way of an event and the long one come to the same: the same random events, drained as
 * they are and one by one as after a kill, which takes the long way only.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "collect/drain.h"
#include "collect/tally.h"
#include "trace/writer.h"

#define WORDS (1u << 20)
#define NODES 60u
#define BLOCKS 200000u

struct world {
    struct accounts accounts;
    struct image image;
    struct counting counting;
    struct ring ring;
    struct mt_ring shared;
    uint64_t words[2 * WORDS]; /* twice, as the ring's file is mapped */
};

static struct world worlds[2];           /* the short way, the long one */
static const struct drain_events events; /* none is called */

static uint64_t blocks[BLOCKS]; /* live: addresses */
static size_t n_blocks;
static uint32_t numbers[MT_COUNTERS];
static uint64_t seed;

static uint32_t random_below(uint32_t limit)
{
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)((seed >> 33) % limit);
}

static void start_world(struct world *world)
{
    memset(world, 0, sizeof(*world));
    accounts_init(&world->accounts);
    account_init(&world->image.account);
    accounts_process(&world->accounts, 1, &world->image.account);
    world->image.process = 1;
    world->image.announced = true;
    world->image.counting = &world->counting;
    world->ring = (struct ring){.shared = &world->shared,
        .words = world->words,
        .mask = WORDS - 1,
        .image = &world->image,
        .now_us = UINT64_MAX,
        .thread = 1};
}

static void stop_world(struct world *world)
{
    drain_free(&world->ring);
    free(world->image.account.changed);
    heapmap_free(&world->image.blocks);
    accounts_free(&world->accounts);
}

static int start(void **state)
{
    start_world(&worlds[0]);
    start_world(&worlds[1]);
    memset(numbers, 0, sizeof(numbers));
    n_blocks = 0;
    seed = 1;
    return 0;
}

static int stop(void **state)
{
    stop_world(&worlds[0]);
    stop_world(&worlds[1]);
    return 0;
}

static void put(uint64_t word)
{
    for (int i = 0; i < 2; i++) {
        uint64_t at = worlds[i].shared.head++ % WORDS;
        worlds[i].words[at] = worlds[i].words[at + WORDS] = word;
    }
}

static void drain(void)
{
    drain_ring(NULL, &worlds[0].accounts, &worlds[0].ring, &events, UINT64_MAX);
    struct ring *ring = &worlds[1].ring;
    while (ring->tail < worlds[1].shared.head) {
        ring->again = true;
        drain_ring(NULL, &worlds[1].accounts, ring, &events, 1);
    }
}

/* No two live blocks have the same address; neighbours are allocated one after the other. */
static uint64_t new_address(void)
{
    static uint64_t last;
    last = random_below(8) ? last + 16 * (1 + random_below(8))
                           : (1ull << 46) + ((uint64_t)random_below(1 << 30) << 10);
    for (size_t i = n_blocks > 64 ? n_blocks - 64 : 0; i < n_blocks; i++) {
        last += last == blocks[i] ? 1ull << 40 : 0;
    }
    return last;
}

static void put_alloc(uint64_t address, uint64_t size, bool is_ordered)
{
    uint64_t word = MT_OP_ALLOC | (uint64_t)random_below(4) << 4 | size << 8;
    if (is_ordered) {
        word += MT_OP_ALLOC_SEQ - MT_OP_ALLOC;
        word |= (uint64_t)numbers[mt_counter_of(address)]++ << 32;
    }
    put(word);
    put(address << 16 | random_below(NODES));
}

static void put_free(uint64_t address, bool is_ordered)
{
    put((is_ordered ? MT_OP_FREE_SEQ : MT_OP_FREE) | address << 16);
    if (is_ordered) {
        put(numbers[mt_counter_of(address)]++);
    }
}

/* To another address or the same, which may be the last word before the collector looks. */
static void put_move(size_t i, uint64_t size, bool is_ordered)
{
    put_free(blocks[i], is_ordered);
    for (int world = 0; world < 2; world++) {
        uint64_t begun = worlds[world].shared.head - (is_ordered ? 2 : 1);
        worlds[world].words[begun % WORDS] += MT_OP_REALLOC_BEGIN - MT_OP_FREE;
        worlds[world].words[begun % WORDS + WORDS] += MT_OP_REALLOC_BEGIN - MT_OP_FREE;
    }
    if (random_below(30) == 0) {
        drain();
    }
    if (random_below(30) == 0) {
        put(MT_OP_REALLOC_CANCEL);
        return;
    }
    blocks[i] = random_below(2) ? blocks[i] : new_address();
    put_alloc(blocks[i], size, is_ordered);
    for (int world = 0; world < 2; world++) {
        uint64_t ended = worlds[world].shared.head - 2;
        worlds[world].words[ended % WORDS] += MT_OP_REALLOC_END - MT_OP_ALLOC;
        worlds[world].words[ended % WORDS + WORDS] += MT_OP_REALLOC_END - MT_OP_ALLOC;
    }
}

static void put_random(uint32_t grow, bool is_ordered)
{
    uint32_t what = random_below(100);
    uint64_t size = random_below(20) ? random_below(600) : random_below(1 << 22);
    if (what < 20) {
        uint64_t address = new_address();
        put_alloc(address, size, is_ordered);
        put_free(address, is_ordered);
    } else if (what < 20 + grow && n_blocks < BLOCKS) {
        blocks[n_blocks] = new_address();
        put_alloc(blocks[n_blocks++], size, is_ordered);
    } else if (n_blocks && what % 4 == 0) {
        put_move(random_below((uint32_t)n_blocks), size, is_ordered);
    } else if (n_blocks) {
        size_t last = n_blocks - 1, i = random_below(3) ? last : random_below((uint32_t)n_blocks);
        put_free(blocks[i], is_ordered);
        blocks[i] = blocks[last];
        n_blocks = last;
    }
}

static void put_nodes(void)
{
    for (uint64_t node = 1; node < NODES; node++) {
        put(MT_OP_NODE | node << 4);
        put(MT_NATIVE | node << 36);
    }
}

/* ---- comparison ---- */

static void compare_accounts(const struct account *a, const struct account *b)
{
    assert_memory_equal(&a->now, &b->now, sizeof(a->now));
    assert_int_equal(a->peak.best, b->peak.best);
    assert_int_equal(a->peak.time_us, b->peak.time_us);
    assert_int_equal(a->peak.rising, b->peak.rising);
    assert_int_equal(a->high, b->high);
    assert_int_equal(a->n_changed, b->n_changed);
    assert_memory_equal(accounts_peak_totals(a), accounts_peak_totals(b), sizeof(struct totals));
}

static void compare_cells(void)
{
    const struct world *a = &worlds[0], *b = &worlds[1];
    assert_int_equal(a->accounts.n_cells, b->accounts.n_cells);
    for (uint32_t i = 0; i < a->accounts.n_cells; i++) {
        const struct cell *x = &a->accounts.cells[i], *y = &b->accounts.cells[i];
        assert_int_equal(x->site, y->site);
        assert_int_equal(x->refs, y->refs);
        assert_int_equal(x->is_changed, y->is_changed);
        assert_int_equal(x->bytes, y->bytes);
        assert_int_equal(x->blocks, y->blocks);
        assert_int_equal(x->allocated_bytes, y->allocated_bytes);
        assert_int_equal(x->allocations, y->allocations);
        struct saved at_x = accounts_at_peak(x, &a->image.account, SCOPE_PROCESS);
        struct saved at_y = accounts_at_peak(y, &b->image.account, SCOPE_PROCESS);
        assert_memory_equal(&at_x, &at_y, sizeof(at_x));
        at_x = accounts_at_peak(x, &a->accounts.all, SCOPE_ALL);
        at_y = accounts_at_peak(y, &b->accounts.all, SCOPE_ALL);
        assert_memory_equal(&at_x, &at_y, sizeof(at_x));
    }
}

static void compare(void)
{
    const struct image *a = &worlds[0].image, *b = &worlds[1].image;
    compare_accounts(&a->account, &b->account);
    compare_accounts(&worlds[0].accounts.all, &worlds[1].accounts.all);
    compare_cells();
    assert_memory_equal(a->counting, b->counting, sizeof(*a->counting));
    assert_int_equal(a->blocks.n_large, b->blocks.n_large);
    assert_int_equal(a->events, b->events);
    assert_int_equal(a->blocks.blocks, n_blocks);
    for (size_t i = 0; i < n_blocks; i++) {
        struct block x, y;
        assert_true(heapmap_get(&a->blocks, blocks[i], &x));
        assert_true(heapmap_get(&b->blocks, blocks[i], &y));
        assert_int_equal(x.size, y.size);
        assert_int_equal(x.cell, y.cell);
    }
    assert_int_equal(a->unknown_frees + a->duplicate_allocations + a->gap_events, 0);
}

/* What the writer does at times: cells are unchanged again, or are of an interval that is over. */
static void write_out(uint32_t round)
{
    for (int i = 0; i < 2; i++) {
        struct account *account = &worlds[i].image.account;
        for (size_t k = 0; k < account->n_changed; k++) {
            worlds[i].accounts.cells[account->changed[k]].is_changed = false;
        }
        account->n_changed = 0;
        account->high = account->now.python + account->now.native;
        if (round % 3 == 0) {
            accounts_begin(&worlds[i].accounts, round + 1);
        } else if (round % 3 == 2) {
            accounts_join(&worlds[i].accounts, round - 1);
        }
    }
}

static void run(bool is_ordered)
{
    put_nodes();
    for (uint32_t round = 0; round < 60; round++) {
        uint32_t grow = round % 20 < 8 ? 5 : 65; /* of a hundred events */
        for (int n = 0; n < 12000; n++) {
            put_random(grow, is_ordered);
        }
        put(MT_OP_TIME | (uint64_t)(round + 1) * 1000 << 4);
        drain();
        compare_accounts(&worlds[0].image.account, &worlds[1].image.account);
        write_out(round);
    }
    compare();
}

static void both_ways_are_the_same(void **state)
{
    run(false);
    assert_true(heapmap_is_large(&worlds[0].image.blocks));
}

static void with_numbers(void **state)
{
    run(true);
}

/* Another process holds something, and has held more: the sum of all comes to its peak at other
   events than that of the process. */
static void beside_another_process(void **state)
{
    enum { HELD = 100 << 20, MOST = 900 << 20 };
    for (int i = 0; i < 2; i++) {
        struct account *all = &worlds[i].accounts.all;
        all->now.native = all->high = HELD;
        all->peak.best = MOST;
        all->peak.totals.native = MOST;
        all->peak.epoch++;
    }
    run(false);
    assert_true(worlds[0].accounts.all.peak.best > MOST);
    assert_true(worlds[0].image.account.peak.best > MOST - HELD);
}

/* What a collector leaves that is killed meanwhile, and the next one takes up. */
static void tally_under_way(void **state)
{
    struct accounts *accounts = &worlds[0].accounts;
    struct account *own = &worlds[0].image.account, *all = &accounts->all;
    struct cell *cell = &accounts->cells[0];
    own->now.native = own->high = own->peak.best = 100;
    all->now.native = all->high = 1000;
    all->peak.best = 2000;
    tally_begin(accounts, own, 7);
    tally_grow(accounts, cell, MT_DOMAIN_OBJ, 50);
    tally_grow(accounts, cell, MT_DOMAIN_MALLOC, 25);
    assert_int_equal(own->now.blocks, 0);
    tally_end(accounts);
    tally_end(accounts);
    assert_int_equal(own->now.python, 50);
    assert_int_equal(own->now.native, 125);
    assert_int_equal(own->now.blocks, 2);
    assert_int_equal(own->high, 175);
    assert_true(own->peak.rising);
    assert_int_equal(own->peak.best, 175);
    assert_int_equal(own->peak.time_us, 7);
    assert_int_equal(all->now.native, 1025);
    assert_int_equal(all->high, 1075);
    assert_false(all->peak.rising);
    assert_int_equal(all->peak.best, 2000);
}

/* A process whose forked child lives on. */
static void with_forks(void **state)
{
    static struct fork_point points[2];
    for (int i = 0; i < 2; i++) {
        points[i] = (struct fork_point){.number = 1};
        worlds[i].image.forks.points = &points[i];
        worlds[i].image.forks.n_points = 1;
        worlds[i].image.forks.seen = worlds[i].ring.forks = 1;
    }
    put_nodes();
    for (int n = 0; n < 3000; n++) {
        put_random(60, false);
    }
    drain();
    compare();
    assert_int_equal(worlds[0].image.forks.n_gone, worlds[1].image.forks.n_gone);
}

/* A record that has less words than it should: nobody has published the rest. */
static void half_an_event(void **state)
{
    put_nodes();
    put_alloc(0x1000, 10, false);
    put_alloc(0x2000, 10, false);
    drain();
    put_alloc(0x3000, 10, false);
    put(MT_OP_FREE | 0x3000ull << 16);
    for (int i = 0; i < 2; i++) {
        worlds[i].shared.head -= 2; /* of the three words one is published */
    }
    drain();
    assert_int_equal(worlds[0].ring.tail, worlds[0].shared.head);
    assert_int_equal(worlds[1].ring.tail, worlds[1].shared.head);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(both_ways_are_the_same, start, stop),
        cmocka_unit_test_setup_teardown(with_numbers, start, stop),
        cmocka_unit_test_setup_teardown(beside_another_process, start, stop),
        cmocka_unit_test_setup_teardown(tally_under_way, start, stop),
        cmocka_unit_test_setup_teardown(with_forks, start, stop),
        cmocka_unit_test_setup_teardown(half_an_event, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
