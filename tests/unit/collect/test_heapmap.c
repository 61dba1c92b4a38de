/*
 * The live map against a plain array: random puts and takes, addresses that
 * collide, large blocks and those of 4 GiB and more.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "collect/heapmap.h"
#include "collect/heapmap_probe.h"

#define SLOTS 5000
#define BASE 0x7f0000000000ull
#define ROUNDS 400000

static uint64_t random_size(void)
{
    switch (rand() % 50) {
    case 0:
        return 5ull << 32;
    case 1:
        return HEAPMAP_LARGE - 1;
    case 2:
        return HEAPMAP_LARGE;
    default:
        return rand() % 2 ? (uint64_t)rand() : (uint64_t)rand() % HEAPMAP_LARGE;
    }
}

/* Each large block is listed, once. */
static void assert_list(const struct heapmap *map, const struct block *model)
{
    size_t count = 0;
    for (size_t i = 0; i < SLOTS; i++) {
        count += model[i].address && model[i].size >= HEAPMAP_LARGE;
    }
    assert_int_equal(map->n_large, count);
    for (size_t i = 0; i < map->n_large; i++) {
        const struct block *block = &model[(map->large[i].address - BASE) / 16];
        assert_int_equal(map->large[i].address, block->address);
        assert_int_equal(map->large[i].size, block->size);
    }
}

static void random_against_array(void **state)
{
    static struct block model[SLOTS];
    struct heapmap map = {0};
    uint64_t live = 0;
    srand(7);
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t slot = (uint64_t)rand() % SLOTS, address = BASE + slot * 16;
        struct block block, *known = &model[slot];
        if (rand() % 2) {
            struct block fresh = {address, random_size(), 1 + (uint32_t)rand(), (uint16_t)rand()};
            bool is_new = heapmap_put(&map, &fresh, &block);
            assert_int_equal(is_new, known->address == 0);
            if (!is_new) {
                assert_int_equal(block.size, known->size);
                assert_int_equal(block.cell, known->cell);
                assert_int_equal(block.stamp, known->stamp);
            }
            live += is_new;
            *known = fresh;
        } else {
            bool found = heapmap_take(&map, address, &block);
            assert_int_equal(found, known->address != 0);
            if (found) {
                assert_int_equal(block.size, known->size);
                assert_int_equal(block.cell, known->cell);
                assert_int_equal(block.stamp, known->stamp);
                live--;
            }
            *known = (struct block){0};
        }
        assert_int_equal(map.blocks, live);
        if (i % 1000 == 0) {
            assert_list(&map, model);
        }
    }
    heapmap_free(&map);
}

/* The room that a block takes, where all are as far apart. */
static double room(const struct heapmap *map)
{
    return (double)heapmap_bytes(map) / (double)map->blocks;
}

#define MANY 200000u

static void is_small(void **state)
{
    static const uint64_t apart[] = {16, 32, 48, 112, 320, 1040, 4112};
    for (size_t i = 0; i < sizeof(apart) / sizeof(*apart); i++) {
        struct heapmap map = {0};
        for (uint64_t n = 0; n < MANY; n++) {
            struct block block = {BASE + n * apart[i], apart[i], 1, 0}, old;
            assert_true(heapmap_put(&map, &block, &old));
            assert_true(n < MANY / 2 || room(&map) <= 24.5);
        }
        heapmap_free(&map);
    }
}

/* Many small blocks close together in units that have little else, and then a few far apart. */
static void finds_blocks_in_clusters(void **state)
{
    struct heapmap map = {0};
    struct block block, old;
    for (uint64_t n = 0; n < MANY; n++) {
        uint64_t address = BASE + n / 200 * 65536 + n % 200 * 8 + (n % 200 > 180) * n % 20 * 700;
        block = (struct block){address, n, 1, 0};
        assert_true(heapmap_put(&map, &block, &old));
        assert_true(heapmap_get(&map, address, &block));
        assert_int_equal(block.size, n);
    }
    assert_int_equal(map.blocks, MANY);
    heapmap_free(&map);
}

static uint64_t sum;

static void add_up(void *context, const struct block *block)
{
    sum += block->size + block->stamp + (block->address - BASE) / 16;
}

/* What blocks have left is used again, by neighbours and by others far away. */
static void uses_room_again(void **state)
{
    struct heapmap map = {0};
    struct block block, old;
    uint64_t before = 0;
    for (uint64_t round = 0; round < 20; round++) {
        uint64_t base = BASE + (round << 30);
        for (uint64_t n = 0; n < MANY; n++) {
            block = (struct block){base + n * 16, 1, 1, 7};
            assert_true(heapmap_put(&map, &block, &old));
        }
        sum = 0;
        heapmap_age(&map, 3);
        heapmap_each(&map, add_up, NULL);
        assert_int_equal(sum, MANY * (1 + 4 + (round << 26)) + (uint64_t)MANY * (MANY - 1) / 2);
        for (uint64_t n = 0; n < MANY; n++) {
            assert_true(heapmap_take(&map, base + n * 16, &block));
        }
        assert_int_equal(map.blocks, 0);
        before = before ? before : heapmap_bytes(&map);
        assert_in_range(heapmap_bytes(&map), before, before + before / 4);
    }
    heapmap_free(&map);
}

#define KEPT 300000u

/* Blocks of the C library's malloc, whose sizes change from time to time: what the map takes
   follows the dearest moment and does not go on growing. */
static void stays_small_where_sizes_change(void **state)
{
    static void *blocks[KEPT];
    static const size_t sizes[] = {64, 500, 40};
    struct heapmap map = {0};
    struct block block, old;
    srand(3);
    for (uint64_t event = 0; event < 18 * 500000; event++) {
        uint64_t phase = event / 500000 % 3;
        void **slot = &blocks[(uint64_t)rand() % KEPT];
        if (*slot) {
            assert_true(heapmap_take(&map, (uintptr_t)*slot, &old));
            free(*slot);
            *slot = NULL;
        } else {
            uint64_t size =
                16 + (uint64_t)rand() % sizes[phase] + (phase == 2 && rand() % 20 == 0) * 5000u;
            *slot = malloc(size);
            block = (struct block){(uintptr_t)*slot, size, 1, 0};
            assert_true(heapmap_put(&map, &block, &old));
        }
    }
    assert_true(room(&map) <= 48);
    for (size_t i = 0; i < KEPT; i++) {
        free(blocks[i]);
    }
    heapmap_free(&map);
}

#define POOLS 6
#define POOL_BYTES 16384u

struct pool {
    struct block blocks[POOL_BYTES / 8];
    uint32_t size, live;
};

static void change_one(struct heapmap *map, struct pool *pool, uint64_t base)
{
    bool is_stray = rand() % 50 == 0;
    uint32_t step = is_stray ? 8 : pool->size, first = is_stray ? 0 : POOL_BYTES % pool->size / 8;
    uint32_t at = first + (uint32_t)rand() % (POOL_BYTES / step) * step / 8;
    struct block *known = &pool->blocks[at], block = {base + 8ull * at, step, 1 + at, 3}, old;
    if (known->address) {
        assert_true(heapmap_take(map, block.address, &old));
        assert_int_equal(old.cell, known->cell);
        assert_int_equal(old.size, known->size);
        *known = (struct block){0};
        pool->live--;
    } else {
        assert_false(heapmap_get(map, block.address, &old));
        assert_true(heapmap_put(map, &block, &old));
        *known = block;
        pool->live++;
    }
}

/* Pools as an allocator of objects has them: each with blocks of one size, now and then with
   something else in between; from time to time they are emptied and get another size. */
static void keeps_rows(void **state)
{
    static struct pool pools[POOLS];
    struct heapmap map = {0};
    struct block old;
    srand(5);
    for (int round = 0; round < 300; round++) {
        uint64_t number = (uint64_t)rand() % POOLS, base = BASE + number * POOL_BYTES;
        struct pool *pool = &pools[number];
        for (size_t at = 0; at < POOL_BYTES / 8; at++) {
            const struct block *block = &pool->blocks[at];
            assert_int_equal(
                block->address != 0, block->address && heapmap_take(&map, block->address, &old));
        }
        *pool = (struct pool){.size = 16 * (1 + (uint32_t)rand() % 32)};
        for (uint32_t at = POOL_BYTES % pool->size; at < POOL_BYTES; at += pool->size) {
            struct block block = {base + at, pool->size, 1 + at / 8, 3};
            assert_true(heapmap_put(&map, &block, &old));
            pool->blocks[at / 8] = block;
            pool->live++;
        }
        for (int i = 0; i < 3000; i++) {
            change_one(&map, pool, base);
        }
        uint64_t live = 0;
        for (size_t i = 0; i < POOLS; i++) {
            live += pools[i].live;
        }
        assert_int_equal(map.blocks, live);
    }
    heapmap_free(&map);
}

static void takes_nothing_from_nothing(void **state)
{
    struct heapmap map = {0};
    struct block block;
    assert_false(heapmap_take(&map, 16, &block));
    heapmap_free(&map);
}

/* Blocks that go one after the other, from so many places at a time. */
static bool is_scattered(struct heapmap *map, uint32_t places, uint32_t per_place)
{
    for (uint32_t i = 0; i < 3 * HEAPMAP_COUNTED; i++) {
        uint64_t place = places ? i / per_place % places : (uint32_t)rand();
        heapmap_note_free(map, heapmap_key(BASE + (place << 20) + (i % per_place << 5)));
    }
    return map->near.is_scattered;
}

static void tells_random_from_runs(void **state)
{
    struct heapmap map = {0};
    assert_true(is_scattered(&map, 0, 1));
    assert_false(is_scattered(&map, 10000, 500)); /* another place after 500 blocks */
    assert_false(is_scattered(&map, 4, 1));       /* back and forth */
    assert_true(is_scattered(&map, 10000, 3));
    assert_true(is_scattered(&map, 0, 1)); /* and back */
    heapmap_free(&map);
    assert_false(map.near.is_scattered);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_against_array),
        cmocka_unit_test(is_small),
        cmocka_unit_test(finds_blocks_in_clusters),
        cmocka_unit_test(uses_room_again),
        cmocka_unit_test(stays_small_where_sizes_change),
        cmocka_unit_test(keeps_rows),
        cmocka_unit_test(tells_random_from_runs),
        cmocka_unit_test(takes_nothing_from_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
