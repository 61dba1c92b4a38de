/* The first rows of an order are those of a whole sort, however many rows are alike. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "trace/select.h"

enum { ROWS = 300 };

struct row {
    int value;
    char more[20]; /* rows are of any size */
};

static int ascending(const void *a, const void *b, void *context)
{
    const struct row *left = a, *right = b;
    ++*(size_t *)context;
    return (left->value > right->value) - (left->value < right->value);
}

static void fill(struct row *rows, size_t n, int kinds)
{
    for (size_t i = 0; i < n; i++) {
        rows[i].value = rand() % kinds;
        memset(rows[i].more, rows[i].value, sizeof rows[i].more);
    }
}

static void check(size_t n, size_t limit, int kinds)
{
    struct row rows[ROWS], sorted[ROWS];
    size_t compared = 0, sum = 0, expected = 0;
    memset(rows, 0, sizeof rows);
    fill(rows, n, kinds);
    memcpy(sorted, rows, sizeof rows);
    select_sorted(rows, n, sizeof *rows, limit, ascending, &compared);
    qsort_r(sorted, n, sizeof *sorted, ascending, &compared);
    for (size_t i = 0; i < n; i++) {
        if (i < limit)
            assert_memory_equal(&rows[i], &sorted[i], sizeof *rows);
        sum += (size_t)rows[i].value;
        expected += (size_t)sorted[i].value;
    }
    assert_int_equal(sum, expected); /* the others are all there */
}

static void first_rows(void **state)
{
    static const int kinds[] = {1, 2, 10, 1000000};
    (void)state;
    srand(1);
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        for (size_t n = 0; n <= ROWS; n += n < 5 ? 1 : 59)
            for (size_t limit = 0; limit <= n + 1; limit += limit < 5 ? 1 : 17)
                check(n, limit, kinds[k]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(first_rows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
