/* pylines: the three line tables by hand, and tables that no interpreter would write. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "collect/pylines.h"

/* Both ways must agree; the table is copied to its exact size so that ASan sees a read beyond. */
static int find(enum mt_lines kind, const uint8_t *table, size_t size, int first, int instruction)
{
    uint8_t *copy = malloc(size ? size : 1);
    assert_non_null(copy);
    if (size > 0) {
        memcpy(copy, table, size);
    }
    struct pylines lines;
    pylines_decode(&lines, kind, copy, size, first);
    int line = pylines_find(kind, copy, size, first, instruction);
    assert_int_equal(pylines_line(&lines, instruction), line);
    pylines_free(&lines);
    free(copy);
    return line;
}

#define FIND(kind, first, instruction, ...)                                                        \
    find(kind, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}), first,      \
        instruction)

static void lnotab(void **state)
{
#define TABLE 0, 1, 6, 2, 200, 0xff, 255, 0, 10, 127
    assert_int_equal(FIND(MT_LINES_LNOTAB, 10, -1, TABLE), 10);
    assert_int_equal(FIND(MT_LINES_LNOTAB, 10, 0, TABLE), 11);
    assert_int_equal(FIND(MT_LINES_LNOTAB, 10, 5, TABLE), 11);
    assert_int_equal(FIND(MT_LINES_LNOTAB, 10, 6, TABLE), 13);
    assert_int_equal(FIND(MT_LINES_LNOTAB, 10, 205, TABLE), 13);
    assert_int_equal(FIND(MT_LINES_LNOTAB, 10, 206, TABLE), 12); /* an address delta over 127 */
    assert_int_equal(FIND(MT_LINES_LNOTAB, 10, 470, TABLE), 12);
    assert_int_equal(FIND(MT_LINES_LNOTAB, 10, 471, TABLE), 139);
    assert_int_equal(FIND(MT_LINES_LNOTAB, 10, INT32_MAX, TABLE), 139);
    assert_int_equal(FIND(MT_LINES_LNOTAB, 10, 6, 6, 2, 0), 12); /* half a pair */
    assert_int_equal(find(MT_LINES_LNOTAB, NULL, 0, 7, 4), 7);
#undef TABLE
}

static void pairs_of_310(void **state)
{
#define TABLE 4, 1, 6, 0x80, 0, 127, 2, 3, 250, 0xfe
    assert_int_equal(FIND(MT_LINES_310, 10, -1, TABLE), 10);
    assert_int_equal(FIND(MT_LINES_310, 10, 0, TABLE), 11);
    assert_int_equal(FIND(MT_LINES_310, 10, 4, TABLE), 0); /* no line */
    assert_int_equal(FIND(MT_LINES_310, 10, 10, TABLE), 141);
    assert_int_equal(FIND(MT_LINES_310, 10, 12, TABLE), 139);
    assert_int_equal(FIND(MT_LINES_310, 10, 261, TABLE), 139);
    assert_int_equal(FIND(MT_LINES_310, 10, 262, TABLE), 0); /* beyond the code */
    assert_int_equal(find(MT_LINES_310, NULL, 0, 7, 0), 0);
#undef TABLE
}

#define ENTRY(code, units) (0x80 | (code) << 3 | ((units)-1))

static void locations(void **state)
{
#define TABLE                                                                                      \
    ENTRY(14, 1), 5, 0, 1, 1, ENTRY(0, 2), 0x35, ENTRY(15, 8), ENTRY(11, 1), 1, 2, ENTRY(13, 1),   \
        0x40, 0x01, ENTRY(12, 1), 1, 1
    assert_int_equal(FIND(MT_LINES_LOCATIONS, 10, -1, TABLE), 10);
    assert_int_equal(FIND(MT_LINES_LOCATIONS, 10, 0, TABLE), 8); /* 5: −2 */
    assert_int_equal(FIND(MT_LINES_LOCATIONS, 10, 4, TABLE), 8);
    assert_int_equal(FIND(MT_LINES_LOCATIONS, 10, 6, TABLE), 0); /* no location */
    assert_int_equal(FIND(MT_LINES_LOCATIONS, 10, 21, TABLE), 0);
    assert_int_equal(FIND(MT_LINES_LOCATIONS, 10, 22, TABLE), 9);
    assert_int_equal(FIND(MT_LINES_LOCATIONS, 10, 24, TABLE), 41); /* 0x40 0x01: 64, +32 */
    assert_int_equal(FIND(MT_LINES_LOCATIONS, 10, 26, TABLE), 43);
    assert_int_equal(FIND(MT_LINES_LOCATIONS, 10, 28, TABLE), 0);
    assert_int_equal(find(MT_LINES_LOCATIONS, NULL, 0, 7, 0), 0);
#undef TABLE
}

static void hostile_varints(void **state)
{
    uint8_t overlong[64];
    memset(overlong, 0x7f, sizeof(overlong));
    overlong[0] = ENTRY(14, 1);
    for (size_t size = 0; size <= sizeof(overlong); size++) {
        int line = find(MT_LINES_LOCATIONS, overlong, size, 10, 0);
        assert_true(line >= 0);
    }
    assert_int_equal(FIND(MT_LINES_LOCATIONS, 10, 0, ENTRY(14, 1)), 10);
    assert_int_equal(FIND(MT_LINES_LOCATIONS, 10, 0, 0x70, 0x02), 11); /* no high bit at all */
}

/* Each byte begins an entry whose number never ends: still one pass. */
static void a_large_hostile_table_is_read_once(void **state)
{
    size_t size = 8u << 20;
    uint8_t *table = malloc(size);
    assert_non_null(table);
    memset(table, ENTRY(14, 1) | 64, size);
    assert_int_equal(find(MT_LINES_LOCATIONS, table, size, 3, (int)size), 3);
    free(table);
}

static void lines_wrap_around(void **state)
{
    assert_int_equal(FIND(MT_LINES_LNOTAB, INT32_MAX, 0, 0, 1), 0);
    assert_int_equal(FIND(MT_LINES_LNOTAB, -5, 0, 0, 1), 0);
    assert_int_equal(FIND(MT_LINES_310, INT32_MAX, 0, 2, 1), 0);
    assert_int_equal(FIND(MT_LINES_LOCATIONS, INT32_MAX, 0, ENTRY(11, 1)), 0);
}

static void unknown_kinds_have_no_lines(void **state)
{
    assert_int_equal(FIND((enum mt_lines)0, 10, 0, 2, 1), 0);
    assert_int_equal(FIND((enum mt_lines)99, 10, 0, 2, 1), 0);
    assert_int_equal(FIND((enum mt_lines)99, 10, -1, 2, 1), 10);
}

static void random_tables(void **state)
{
    uint64_t seed = 88172645463325252ull;
    for (int round = 0; round < 30000; round++) {
        uint8_t table[64];
        for (size_t i = 0; i < sizeof(table); i++) {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            table[i] = (uint8_t)(seed >> 32);
        }
        size_t size = (seed >> 8) % (sizeof(table) + 1);
        enum mt_lines kind = (enum mt_lines)(round % 4);
        for (int instruction = -2; instruction < 600; instruction += 37) {
            assert_true(find(kind, table, size, (int)(seed >> 40), instruction) >= 0);
        }
        assert_true(find(kind, table, size, 1, INT32_MAX) >= 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lnotab),
        cmocka_unit_test(pairs_of_310),
        cmocka_unit_test(locations),
        cmocka_unit_test(hostile_varints),
        cmocka_unit_test(a_large_hostile_table_is_read_once),
        cmocka_unit_test(lines_wrap_around),
        cmocka_unit_test(unknown_kinds_have_no_lines),
        cmocka_unit_test(random_tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
