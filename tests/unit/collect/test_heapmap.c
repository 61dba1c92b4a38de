/*
 * The live map against a plain array: random puts and takes, addresses that
 * collide, blocks of 4 GiB and more.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "collect/heapmap.h"

#define SLOTS 5000
#define ROUNDS 400000

static void random_against_array(void **state)
{
    static struct block model[SLOTS];
    struct heapmap map = {0};
    uint64_t live = 0;
    srand(7);
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t slot = (uint64_t)rand() % SLOTS, address = 0x7f0000000000 + slot * 16;
        struct block block, *known = &model[slot];
        if (rand() % 2) {
            struct block fresh = {
                address, rand() % 50 ? (uint64_t)rand() : 5ull << 32, 1 + (uint32_t)rand(),
                (uint16_t)rand()};
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
