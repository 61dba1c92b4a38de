/*
 * Records come and go: each is found while it is there, and only then.  Hashes are few, so that
 * runs of the table are long and go around its end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "collect/index.h"

#define RECORDS 2000u
#define TURNS 200000u

static bool is_number(const void *context, uint32_t number, const void *key)
{
    (void)context;
    return number == *(const uint32_t *)key;
}

static uint32_t hash_of(uint32_t number, uint32_t hashes)
{
    return 0u - index_hash_numbers(number, 0) % hashes; /* near the end of any table */
}

static void check(const struct index *index, const bool *is_there, uint32_t number, uint32_t hashes)
{
    uint32_t found = index_find(index, hash_of(number, hashes), is_number, NULL, &number);
    assert_int_equal(found, is_there[number] ? number : 0);
}

static void come_and_go(uint32_t hashes, bool is_outside)
{
    struct index index = {.is_outside = is_outside};
    bool is_there[RECORDS + 1] = {false};
    uint32_t count = 0;
    srand(hashes);
    for (uint32_t turn = 0; turn < TURNS; turn++) {
        uint32_t number = (uint32_t)rand() % RECORDS + 1;
        check(&index, is_there, number, hashes);
        if (is_there[number]) {
            index_remove(&index, hash_of(number, hashes), number);
            count--;
        } else {
            index_add(&index, hash_of(number, hashes), number);
            count++;
        }
        is_there[number] = !is_there[number];
        check(&index, is_there, (uint32_t)rand() % RECORDS + 1, hashes);
    }
    assert_int_equal(index.used, count);
    for (uint32_t number = 1; number <= RECORDS; number++) {
        check(&index, is_there, number, hashes);
    }
    index_free(&index);
    assert_int_equal(index.is_outside, is_outside);
    index_add(&index, 1, 1);
    index_free(&index);
}

static void few_hashes(void **state)
{
    come_and_go(40, false);
}

static void many_hashes(void **state)
{
    come_and_go(100000, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_hashes),
        cmocka_unit_test(many_hashes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
