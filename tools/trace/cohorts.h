/*
 * The rows of a view over time and by age: what each holds at every retained
 * boundary, how much of that is old, and what of each interval of births is left
 * in the end.  Exact at every point: it is sums of the trace's own cells.
 *
 * A row that is of one process has the end of that process for its last point;
 * others have the end of the view.  A block is old when the interval that it was
 * born in ended at least `age_us` ago.
 */
#ifndef TRACE_COHORTS_H
#define TRACE_COHORTS_H

#include "trace/view.h"

struct cohort_point { /* a row at one time */
    uint64_t time_us;
    int64_t size, count;
    int64_t old_size, old_count; /* of them, what is old */
};

struct cohort { /* what a row has of one interval of births */
    int64_t size, count, allocated, allocations;
};

struct cohorts {
    size_t n_rows, n_births;
    uint64_t *births_us; /* when each interval begins, in order */
    struct cohort_row {
        struct cohort_point *points; /* in order of time */
        size_t n_points;
        struct cohort *births; /* n_births, at the last point */
    } * rows;
    struct arena arena;
};

/* Of the first `limit` rows of a view (0: all), which ends at a boundary or at each process's end,
   and of its rests after them, VIEW_RESTS rows.  cohorts_free it. */
void cohorts_make(struct cohorts *cohorts, const struct view *view, size_t limit, uint64_t age_us);
void cohorts_free(struct cohorts *cohorts);

/* What of each interval of births is live at the end of a view, of all its rows and rests. */
struct births {
    size_t count;
    uint64_t *times_us; /* when each begins */
    int64_t *sizes;
};
struct births births_make(const struct view *view, struct arena *arena);

/* What each site holds at the moment of a view, by the interval of its birth; in the order of
   births.  Of a peak that was not recorded there is nothing. */
struct born {
    uint32_t site, birth;
    int64_t size, count;
};
struct borns {
    size_t count;
    struct born *all;
};
struct borns borns_make(const struct view *view, struct arena *arena);

#endif
