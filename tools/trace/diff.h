/*
 * Two views compared, row by row, as tracemalloc's compare_to; the old one may be
 * several runs of the same program, which tell changes from noise.  Runs in
 * reports.
 */
#ifndef TRACE_DIFF_H
#define TRACE_DIFF_H

#include <stdbool.h>
#include <stddef.h>

#include "trace/view.h"

enum diff_kind {
    DIFF_CHANGED,
    DIFF_NEW, /* not there before, in any run */
    DIFF_GONE,
    DIFF_NOISE, /* no further from the old runs than they are from each other */
    DIFF_SAME,
    DIFF_KINDS
};

struct diff_row {
    struct view_amount now, before; /* before: the mean of the old runs */
    int64_t metric, change;         /* what it is sorted by: now, and since */
    int64_t low, high;              /* of the metric, in the old runs */
    enum diff_kind kind;
    const struct view *view; /* that has the row: the new one if it does */
    const struct view_row *row;
    int rest; /* enum view_rest if it is none of the rows, else -1 */
};

struct diff {
    struct diff_row *rows; /* those that changed, as compare_to sorts them; then the others */
    size_t n_rows, counts[DIFF_KINDS], n_changed; /* CHANGED, NEW and GONE */
    struct diff_row total;
    size_t n_old;
    struct arena arena;
};

/* The views must have the same key and sort, and live on.  More rows than `limit` are not sorted,
   but for 0, which is all. */
void diff_make(struct diff *diff, const struct view *const *old, size_t n_old,
    const struct view *now, bool moved, size_t limit);
void diff_free(struct diff *diff);

#endif
