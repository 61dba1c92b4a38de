/*
 * Characters of each width to UTF-8, and undecodable bytes as they were.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "collect/text.h"

static void expect(const void *text, uint32_t size, unsigned width, const char *expected)
{
    struct definitions definitions;
    definitions_init(&definitions);
    uint32_t id = text_define(&definitions, text, size, width);
    assert_string_equal(definitions.strings[id].bytes, expected);
    definitions_free(&definitions);
}

static void widths(void **state)
{
    const uint16_t two[] = {'a', 0xe9, 0x20ac, 0xdcff};
    const uint32_t four[] = {0x1f600, 'b'};
    expect("plain", 5, 0, "plain");
    expect("caf\xe9", 4, 1, "caf\xc3\xa9");
    expect(two, sizeof(two), 2, "a\xc3\xa9\xe2\x82\xac\xff");
    expect(four, sizeof(four), 4, "\xf0\x9f\x98\x80"
                                  "b");
    expect("", 0, 1, "");
    expect("odd", 3, 2, "\xe6\x91\xaf"); /* half a character is left out */
}

static void equal_texts_are_one(void **state)
{
    struct definitions definitions;
    definitions_init(&definitions);
    uint32_t first = text_define(&definitions, (const uint8_t *)"x\xe9", 2, 1);
    assert_int_equal(first, definitions_string(&definitions, "x\xc3\xa9", 3));
    definitions_free(&definitions);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(widths),
        cmocka_unit_test(equal_texts_are_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
