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

static void takes_nothing_from_nothing(void **state)
{
    struct heapmap map = {0};
    struct block block;
    assert_false(heapmap_take(&map, 16, &block));
    heapmap_free(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_against_array),
        cmocka_unit_test(takes_nothing_from_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
