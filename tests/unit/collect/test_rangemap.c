/*
 * Ranges against a model that knows each page.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "collect/rangemap.h"

#define PAGES 64
#define CELLS 8

static int64_t bytes_of[CELLS], ranges_of[CELLS];

static void gone(void *context, const struct range *piece, int ranges)
{
    bytes_of[piece->cell] -= (int64_t)(piece->end - piece->start);
    ranges_of[piece->cell] -= ranges;
}

static void check(const struct rangemap *map, const uint32_t *pages)
{
    int64_t expected[CELLS] = {0}, there[CELLS] = {0};
    for (int page = 0; page < PAGES; page++) {
        expected[pages[page]]++;
    }
    for (int cell = 1; cell < CELLS; cell++) {
        assert_int_equal(bytes_of[cell], expected[cell]);
    }
    for (size_t i = 0; i < map->count; i++) {
        there[map->ranges[i].cell]++;
        assert_true(map->ranges[i].start < map->ranges[i].end);
        assert_true(i == 0 || map->ranges[i - 1].end <= map->ranges[i].start);
    }
    for (int cell = 1; cell < CELLS; cell++) {
        assert_int_equal(ranges_of[cell], there[cell]);
    }
}

static void random_against_pages(void **state)
{
    struct rangemap map = {0};
    uint32_t pages[PAGES] = {0};
    srand(3);
    for (int i = 0; i < 200000; i++) {
        uint64_t start = (uint64_t)rand() % PAGES;
        uint64_t end = start + 1 + (uint64_t)rand() % (PAGES - start);
        uint32_t cell = rand() % 2 ? 1 + (uint32_t)rand() % (CELLS - 1) : 0;
        rangemap_remove(&map, start, end, gone, NULL);
        if (cell) {
            struct range range = {start, end, cell};
            rangemap_add(&map, &range);
            bytes_of[cell] += (int64_t)(end - start);
            ranges_of[cell]++;
        }
        for (uint64_t page = start; page < end; page++) {
            pages[page] = cell;
        }
        check(&map, pages);
        const struct range *at = rangemap_at(&map, start);
        assert_int_equal(at ? at->cell : 0, cell);
    }
    rangemap_free(&map);
}

static void middle_of_a_range(void **state)
{
    struct rangemap map = {0};
    struct range range = {10, 40, 1};
    memset(bytes_of, 0, sizeof(bytes_of));
    memset(ranges_of, 0, sizeof(ranges_of));
    rangemap_add(&map, &range);
    rangemap_remove(&map, 20, 30, gone, NULL);
    assert_int_equal(map.count, 2);
    assert_int_equal(bytes_of[1], -10);
    assert_int_equal(ranges_of[1], 1); /* one more than there was */
    rangemap_remove(&map, 0, 100, gone, NULL);
    assert_int_equal(ranges_of[1], -1);
    assert_int_equal(map.count, 0);
    assert_int_equal(bytes_of[1], -30);
    rangemap_free(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_against_pages),
        cmocka_unit_test(middle_of_a_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
