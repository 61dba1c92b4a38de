/* Sizes come out as tracemalloc's _format_size has them; totals with their decimal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "render/format.h"

static void sizes_as_tracemalloc(void **state)
{
    static const struct {
        int64_t bytes;
        const char *text;
    } cases[] = {{0, "0 B"}, {1, "1 B"}, {3368, "3368 B"}, {10239, "10239 B"}, {10240, "10.0 KiB"},
        {-10240, "-10.0 KiB"}, {102348, "99.9 KiB"}, {102400, "100 KiB"}, {2097152, "2048 KiB"},
        {10485759, "10240 KiB"}, {10485760, "10.0 MiB"}, {(int64_t)100 << 20, "100 MiB"},
        {(int64_t)9 << 30, "9216 MiB"}, {(int64_t)10 << 30, "10.0 GiB"},
        {(int64_t)50 << 40, "50.0 TiB"}, {(int64_t)50000 << 40, "50000 TiB"}};
    char buffer[FORMAT_SIZE];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(format_size(buffer, cases[i].bytes, UNITS_AUTO), cases[i].text);
    assert_string_equal(format_size(buffer, 1536000, UNITS_KIB), "1500.0 KiB");
    assert_string_equal(format_size(buffer, 1536000, UNITS_B), "1536000 B");
    assert_string_equal(format_size(buffer, INT64_MIN, UNITS_B), "-9223372036854775808 B");
}

static void totals_keep_a_decimal(void **state)
{
    char buffer[FORMAT_SIZE];
    assert_string_equal(format_total(buffer, 1023, UNITS_AUTO), "1023 B");
    assert_string_equal(format_total(buffer, 293069, UNITS_AUTO), "286.2 KiB");
    assert_string_equal(format_total(buffer, 4718592, UNITS_AUTO), "4.5 MiB");
    assert_string_equal(format_beside(buffer, 4718592, 5242880, UNITS_AUTO), "4.5");
    assert_string_equal(format_beside(buffer, 4718592, 500, UNITS_AUTO), "4.5 MiB");
    assert_string_equal(format_part(buffer, 4718592, 5242880, UNITS_AUTO, 0), "4");
}

static void counts_and_times(void **state)
{
    char buffer[FORMAT_SIZE];
    assert_string_equal(format_count(buffer, 0), "0");
    assert_string_equal(format_count(buffer, 999), "999");
    assert_string_equal(format_count(buffer, 1000), "1,000");
    assert_string_equal(format_count(buffer, -123456), "-123,456");
    assert_string_equal(format_count(buffer, INT64_MIN), "-9,223,372,036,854,775,808");
    assert_string_equal(format_time(buffer, 12400000), "12.4 s");
    assert_string_equal(format_time(buffer, 125000000), "2 m 05 s");
    assert_string_equal(format_time(buffer, (uint64_t)11520 * 1000000), "3 h 12 m");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_as_tracemalloc),
        cmocka_unit_test(totals_keep_a_decimal),
        cmocka_unit_test(counts_and_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
