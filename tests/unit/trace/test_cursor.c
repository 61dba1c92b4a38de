/* Varints: what the writer encodes the cursor decodes, and nothing else passes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "trace/cursor.h"
#include "trace/writer.h"

static const uint64_t values[] = {0, 1, 127, 128, 16383, 16384, UINT32_MAX, (uint64_t)1 << 32,
    INT64_MAX, (uint64_t)INT64_MAX + 1, UINT64_MAX};
enum { VALUES = sizeof values / sizeof *values };

static struct cursor cursor_on(const void *bytes, size_t size)
{
    return (struct cursor){.at = bytes, .end = (const uint8_t *)bytes + size};
}

static void decodes_what_was_encoded(void **state)
{
    struct buffer buffer = {0};
    for (int i = 0; i < VALUES; i++) {
        buffer_varint(&buffer, values[i]);
        buffer_svarint(&buffer, (int64_t)values[i]);
    }
    struct cursor cursor = cursor_on(buffer.data, buffer.size);
    for (int i = 0; i < VALUES; i++) {
        assert_int_equal(cursor_varint(&cursor), values[i]);
        assert_int_equal(cursor_svarint(&cursor), (int64_t)values[i]);
    }
    assert_false(cursor.bad);
    assert_int_equal(cursor_left(&cursor), 0);
    buffer_free(&buffer);
}

static void encodes_small_changes_small(void **state)
{
    struct buffer buffer = {0};
    buffer_svarint(&buffer, 63);
    buffer_svarint(&buffer, -64);
    assert_int_equal(buffer.size, 2);
    buffer_svarint(&buffer, INT64_MIN);
    assert_int_equal(buffer.size, 12);
    buffer_free(&buffer);
}

static void refuses_more_than_64_bits(void **state)
{
    uint8_t most[10], over[10], endless[11];
    memset(most, 0xff, sizeof most);
    memcpy(over, most, sizeof over);
    memset(endless, 0x80, sizeof endless);
    most[9] = 1;
    over[9] = 2;
    struct cursor cursor = cursor_on(most, sizeof most);
    assert_int_equal(cursor_varint(&cursor), UINT64_MAX);
    assert_false(cursor.bad);
    cursor = cursor_on(over, sizeof over);
    cursor_varint(&cursor);
    assert_true(cursor.bad);
    cursor = cursor_on(endless, sizeof endless);
    cursor_varint(&cursor);
    assert_true(cursor.bad);
}

static void stops_at_the_end(void **state)
{
    struct cursor cursor = cursor_on("\x80", 1);
    assert_int_equal(cursor_varint(&cursor), 0);
    assert_true(cursor.bad);
    cursor = cursor_on("ab", 2);
    assert_null(cursor_bytes(&cursor, 3));
    assert_true(cursor.bad);
    assert_int_equal(cursor_varint(&cursor), 0);
}

static void counts_only_what_can_be_there(void **state)
{
    struct cursor cursor = cursor_on("\x02"
                                     "abcd",
        5);
    assert_int_equal(cursor_count(&cursor, 2), 2);
    cursor = cursor_on("\x03"
                       "abcd",
        5);
    assert_int_equal(cursor_count(&cursor, 2), 0);
    assert_true(cursor.bad);
}

static void takes_ids_below_the_limit(void **state)
{
    struct cursor cursor = cursor_on("\x04\x05", 2);
    assert_int_equal(cursor_id(&cursor, 5), 4);
    assert_int_equal(cursor_id(&cursor, 5), 0);
    assert_true(cursor.bad);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decodes_what_was_encoded),
        cmocka_unit_test(encodes_small_changes_small),
        cmocka_unit_test(refuses_more_than_64_bits),
        cmocka_unit_test(stops_at_the_end),
        cmocka_unit_test(counts_only_what_can_be_there),
        cmocka_unit_test(takes_ids_below_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
