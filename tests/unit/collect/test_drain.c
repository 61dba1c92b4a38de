/*
 * Rings written by hand: order by numbers across rings, dependencies, moves that
 * are cancelled or cut off by a death, holes, damage.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "collect/drain.h"
#include "trace/writer.h"

#define WORDS 4096
#define RINGS 3

struct world {
    struct accounts accounts;
    struct image image;
    struct ring rings[RINGS];
    struct mt_ring shared[RINGS];
    uint64_t words[RINGS][WORDS];
    uint64_t numbers[MT_COUNTERS];
};

static struct world world;

static void on_process(struct collector *collector, struct ring *ring, uint64_t w0, uint64_t w1)
{
}

static uint32_t on_thread(struct collector *collector, struct ring *ring, int tid)
{
    return 1;
}

static void on_end(struct collector *collector, struct ring *ring)
{
}

static bool on_reached(struct collector *collector, uint32_t slot, uint64_t position)
{
    return world.rings[slot].tail >= position;
}

static const struct drain_events events = {on_process, on_thread, on_end, on_reached};

static int start(void **state)
{
    memset(&world, 0, sizeof(world));
    accounts_init(&world.accounts);
    account_init(&world.image.account);
    for (int i = 0; i < RINGS; i++) {
        world.rings[i] = (struct ring){.shared = &world.shared[i],
            .words = world.words[i],
            .mask = WORDS - 1,
            .image = &world.image,
            .thread = 1};
    }
    return 0;
}

static int stop(void **state)
{
    for (int i = 0; i < RINGS; i++) {
        drain_free(&world.rings[i]);
    }
    free(world.image.account.changed);
    heapmap_free(&world.image.blocks);
    rangemap_free(&world.image.maps);
    accounts_free(&world.accounts);
    return 0;
}

static void put(int ring, uint64_t word)
{
    uint64_t head = world.shared[ring].head;
    world.words[ring][head % WORDS] = word;
    world.shared[ring].head = head + 1;
}

static void put_alloc(int ring, uint64_t address, uint64_t size)
{
    put(ring, MT_OP_ALLOC | MT_DOMAIN_MALLOC << 4 | size << 8);
    put(ring, address << 16);
}

static void put_alloc_seq(int ring, uint64_t address, uint64_t size, uint64_t number)
{
    put(ring, MT_OP_ALLOC_SEQ | MT_DOMAIN_MALLOC << 4 | size << 8 | number << 32);
    put(ring, address << 16);
}

static void put_free_seq(int ring, uint64_t address, uint64_t number)
{
    put(ring, MT_OP_FREE_SEQ | address << 16);
    put(ring, number);
}

static uint64_t take(int ring)
{
    return drain_ring(NULL, &world.accounts, &world.rings[ring], &events, UINT64_MAX);
}

static void numbers_order_rings(void **state)
{
    put_alloc_seq(0, 0x1000, 10, 0);
    put_free_seq(1, 0x1000, 1);
    put_alloc_seq(2, 0x1000, 30, 2);
    assert_int_equal(take(2), 0);
    assert_int_equal(take(1), 0);
    assert_int_equal(take(0), 2);
    assert_int_equal(take(2), 0);
    assert_int_equal(take(1), 2);
    assert_int_equal(take(2), 2);
    assert_int_equal(world.image.account.now.native, 30);
    assert_int_equal(world.image.duplicate_allocations, 0);
    assert_int_equal(world.image.unknown_frees, 0);
}

static void rings_depend(void **state)
{
    put_alloc(0, 0x1000, 10);
    put(1, MT_OP_META | MT_META_DEPEND << 4);
    put(1, 0);
    put(1, 2);
    put(1, MT_OP_FREE | 0x1000ull << 16);
    assert_int_equal(take(1), 0);
    take(0);
    assert_int_equal(take(1), 4);
    assert_int_equal(world.image.account.now.native, 0);
}

static void moves_are_one_event(void **state)
{
    put_alloc(0, 0x1000, 100);
    put(0, MT_OP_REALLOC_BEGIN | 0x1000ull << 16);
    take(0);
    assert_int_equal(world.image.account.now.native, 100); /* live until it has moved */
    put(0, MT_OP_REALLOC_END | MT_DOMAIN_MALLOC << 4 | 150 << 8);
    put(0, 0x2000ull << 16);
    take(0);
    assert_int_equal(world.image.account.now.native, 150);
    assert_int_equal(world.image.account.now.blocks, 1);
    assert_int_equal(world.image.account.peak.best, 150);
}

static void moves_are_cancelled(void **state)
{
    put_alloc(0, 0x1000, 100);
    put(0, MT_OP_REALLOC_BEGIN | 0x1000ull << 16);
    put(0, MT_OP_REALLOC_CANCEL);
    put(0, MT_OP_FREE | 0x1000ull << 16);
    take(0);
    assert_int_equal(world.image.account.now.native, 0);
    assert_int_equal(world.image.unknown_frees, 0);
}

static void death_in_a_move_loses_nothing(void **state)
{
    put_alloc(0, 0x1000, 100);
    put(0, MT_OP_REALLOC_BEGIN | 0x1000ull << 16);
    take(0);
    drain_cancel_moves(&world.accounts, &world.rings[0]);
    struct block block;
    assert_int_equal(world.image.account.now.native, 100);
    assert_true(heapmap_take(&world.image.blocks, 0x1000, &block));
}

/* Another thread gets the address of a block that is being moved away. */
static void address_reused_during_a_move(void **state)
{
    put_alloc_seq(0, 0x1000, 100, 0);
    put(0, MT_OP_REALLOC_BEGIN_SEQ | 0x1000ull << 16);
    put(0, 1);
    put_alloc_seq(1, 0x1000, 7, 2);
    take(1);
    take(0);
    take(1);
    assert_int_equal(world.image.account.now.native, 107);
    put(0, MT_OP_REALLOC_END_SEQ | MT_DOMAIN_MALLOC << 4 | 200 << 8 | 3ull << 32);
    put(0, 0x2000ull << 16);
    take(0);
    assert_int_equal(world.image.account.now.native, 207);
    assert_int_equal(world.image.duplicate_allocations, 0);
}

static void holes_are_skipped(void **state)
{
    put_alloc_seq(0, 0x1000, 10, 5); /* 0 to 4 were taken and never written */
    assert_int_equal(take(0), 0);
    assert_true(drain_skip_hole(&world.rings[0]));
    assert_int_equal(take(0), 2);
    assert_false(drain_skip_hole(&world.rings[0]));
}

static void sizes_of_gigabytes(void **state)
{
    uint64_t size = 5ull << 32 | 12345;
    put(0, MT_OP_SIZE | size >> 24 << 4);
    put(0, MT_OP_ALLOC | MT_DOMAIN_MALLOC << 4 | (size & 0xffffff) << 8);
    put(0, 0x1000ull << 16);
    put_alloc(0, 0x9000, 3);
    take(0);
    assert_int_equal(world.image.account.now.native, size + 3);
}

static void what_cannot_be_is_counted(void **state)
{
    put_alloc(0, 0x1000, 10);
    put_alloc(0, 0x1000, 20);
    put(0, MT_OP_FREE | 0x5000ull << 16);
    take(0);
    assert_int_equal(world.image.duplicate_allocations, 1);
    assert_int_equal(world.image.unknown_frees, 1);
    assert_int_equal(world.image.account.now.native, 20);
}

static void damage_ends_a_ring(void **state)
{
    put(0, 0);
    put_alloc(0, 0x1000, 10);
    take(0);
    assert_int_equal(world.image.gap_events, 1);
    assert_int_equal(world.rings[0].tail, world.shared[0].head);
    assert_int_equal(world.image.account.now.native, 0);
}

static void maps_are_apart(void **state)
{
    put(0, MT_OP_META | MT_META_MAP << 4 | (uint64_t)MT_MAP_ANONYMOUS << 32);
    put(0, 0x100000);
    put(0, 0x5001);
    put(0, MT_SEQ_NONE);
    take(0);
    assert_int_equal(world.image.account.now.mapped, 0x6000);
    put(0, MT_OP_META | MT_META_UNMAP << 4);
    put(0, 0x101000);
    put(0, 0x1000);
    put(0, MT_SEQ_NONE);
    take(0);
    assert_int_equal(world.image.account.now.mapped, 0x5000);
    assert_int_equal(world.image.account.now.native, 0);
    assert_int_equal(world.image.account.peak.best, 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(numbers_order_rings),
        CASE(rings_depend),
        CASE(moves_are_one_event),
        CASE(moves_are_cancelled),
        CASE(death_in_a_move_loses_nothing),
        CASE(address_reused_during_a_move),
        CASE(holes_are_skipped),
        CASE(sizes_of_gigabytes),
        CASE(what_cannot_be_is_counted),
        CASE(damage_ends_a_ring),
        CASE(maps_are_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
