/* The code of an object whose executable segments are apart, as BOLT leaves them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "elfsym.h"
#include "loaded.h"

/* Far from the rest, in a segment of its own (meson.build), with data in between. */
__attribute__((section("far_text"), noinline)) int far_away(int n);

int far_away(int n)
{
    return n + 1;
}

static void test_text_is_all_of_an_object(void **state)
{
    uintptr_t start, end, other_start, other_end;
    uintptr_t here = (uintptr_t)test_text_is_all_of_an_object, there = (uintptr_t)far_away;
    assert_int_equal(far_away(1), 2);
    assert_true(there > here && there - here > 0x1000000);
    assert_true(elfsym_text((const void *)here, &start, &end));
    assert_true(start <= here && here < there && there < end);
    assert_true(elfsym_text((const void *)there, &other_start, &other_end));
    assert_true(start == other_start && end == other_end);
}

static void test_all_of_a_program_is_found(void **state)
{
    struct loaded object, far;
    loaded_setup();
    assert_true(loaded_find((uintptr_t)test_all_of_a_program_is_found, &object));
    assert_true(loaded_find((uintptr_t)far_away, &far));
    assert_true(object.start == far.start && object.end == far.end && object.base == far.base);
    assert_true(
        loaded_frame_table(&object) && loaded_frame_table(&object) == loaded_frame_table(&far));
    assert_false(loaded_find((uintptr_t)far_away - 0x1000000, &far)); /* in the gap */
    assert_true(loaded_find((uintptr_t)elfsym_find("malloc"), &far));
    assert_true(far.start != object.start && loaded_frame_table(&far));
}

static void test_text_is_of_one_object(void **state)
{
    uintptr_t start, end, own_start, own_end;
    assert_true(elfsym_text((const void *)elfsym_text, &own_start, &own_end));
    assert_true(elfsym_text(elfsym_find("malloc"), &start, &end));
    assert_true(end <= own_start || own_end <= start);
    assert_false(elfsym_text(NULL, &start, &end));
    assert_false(elfsym_text(&start, &start, &end));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_is_all_of_an_object),
        cmocka_unit_test(test_text_is_of_one_object),
        cmocka_unit_test(test_all_of_a_program_is_found),
    };
    return cmocka_run_group_tests_name("elfsym", tests, NULL, NULL);
}
