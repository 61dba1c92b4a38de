/*
 * Which rows of a view keep growing after the warm-up, and which grew and
 * stopped.  A view of its own, made from the cohorts of the rows.
 *
 * What counts is memory that has grown old: of each row, how much it holds that
 * was allocated more than an eighth of the time ago.  Work in progress, caches
 * with a bound and queues that are emptied come and go below that; what leaks
 * piles up.  docs/leaks.md says what is found and what is not.
 */
#ifndef TRACE_LEAKS_H
#define TRACE_LEAKS_H

#include "trace/cohorts.h"

struct leaks_options {
    struct moment warm_up;
    bool warm_up_given; /* else it is found */
    const char *per;    /* a mark's name, NULL for none */
};

enum { LEAKS_ROWS = 5000 }; /* that are looked at: the biggest */

struct leak {
    size_t row; /* of the view; n_rows + a rest */
    const struct cohort_row *history;
    int64_t size, count;            /* live at the end */
    int64_t allocated, allocations; /* after the warm-up */
    int64_t kept, kept_count;       /* of these, live at the end */
    double size_per_s, count_per_s;
    uint64_t oldest_us;  /* age, at most, of the oldest of these */
    uint64_t stopped_us; /* when it stopped growing, 0 if it did not */
};

struct leaks {
    struct view view; /* all that is live at the end */
    struct cohorts cohorts;
    uint64_t warm_up_us, end_us;
    size_t marks;         /* of the name `per`, after the warm-up */
    struct leak *growing; /* the fastest first */
    struct leak *stopped; /* the biggest first */
    size_t n_growing, n_stopped;
    bool short_trace; /* too few boundaries to tell */
};

enum leaks_error {
    LEAKS_OK = 0,
    LEAKS_VIEW = -1,    /* `view_error` says why */
    LEAKS_PEAK = -2,    /* the peak has no history */
    LEAKS_WARM_UP = -3, /* there is no such moment: view.error, view.from */
    LEAKS_LATE = -4,    /* the warm-up ends after the end */
    LEAKS_NO_MARK = -5  /* no mark `per` after the warm-up */
};

/* Makes it, of all processes that the view selects.  leaks_free it in any case. */
enum leaks_error leaks_make(struct leaks *leaks, const struct trace *trace,
    const struct view_options *view, const struct leaks_options *options,
    enum view_error *view_error);
void leaks_free(struct leaks *leaks);
/* The error of what a leak holds (view_size_error). */
int64_t leaks_size_error(const struct leaks *leaks, const struct leak *leak);

#endif
