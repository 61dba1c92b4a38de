/*
 * The first rows of an order, where the others need none.  Runs in views.
 */
#ifndef TRACE_SELECT_H
#define TRACE_SELECT_H

#include <stddef.h>

/* Sorts rows as qsort_r does, but of the `n` only the first `limit`; behind them are the others, in
   no order. */
void select_sorted(void *rows, size_t n, size_t size, size_t limit,
    int (*compare)(const void *a, const void *b, void *context), void *context);

#endif
