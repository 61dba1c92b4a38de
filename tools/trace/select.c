/*
 * Hoare's selection, then a sort of what it has brought to the front (select.h).
 */
#include "trace/select.h"

#include <stdlib.h>
#include <string.h>

struct rows {
    char *first;
    size_t size;
    int (*compare)(const void *a, const void *b, void *context);
    void *context;
    char *pivot, *spare; /* copies of rows */
};

static char *row(const struct rows *rows, size_t i)
{
    return rows->first + i * rows->size;
}

static void swap(const struct rows *rows, size_t i, size_t k)
{
    memcpy(rows->spare, row(rows, i), rows->size);
    memcpy(row(rows, i), row(rows, k), rows->size);
    memcpy(row(rows, k), rows->spare, rows->size);
}

/* Moves the first `limit` rows of the order to the front. */
static void bring_forward(const struct rows *rows, size_t n, size_t limit)
{
    size_t low = 0, high = n - 1;
    while (low < high) {
        size_t i = low, k = high;
        memcpy(rows->pivot, row(rows, low + (high - low) / 2), rows->size);
        while (i <= k) {
            while (rows->compare(row(rows, i), rows->pivot, rows->context) < 0)
                i++;
            while (rows->compare(row(rows, k), rows->pivot, rows->context) > 0)
                k--;
            if (i > k)
                break;
            swap(rows, i++, k);
            if (k == 0)
                break;
            k--;
        }
        if (limit <= k)
            high = k;
        else if (limit >= i)
            low = i;
        else
            return;
    }
}

void select_sorted(void *first, size_t n, size_t size, size_t limit,
    int (*compare)(const void *a, const void *b, void *context), void *context)
{
    if (limit < n) {
        char *spare = malloc(2 * size);
        if (!spare)
            abort();
        struct rows rows = {first, size, compare, context, spare, spare + size};
        bring_forward(&rows, n, limit);
        free(spare);
        n = limit;
    }
    if (n)
        qsort_r(first, n, size, compare, context);
}
