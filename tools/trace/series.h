/*
 * Memory over time, ready to be drawn: the timeline of one process, or the sum
 * over all of them on one clock, cut to a window and thinned to a number of
 * points without losing an extreme.  A view: it runs in reports.
 *
 * Sizes are bytes, times microseconds since the session began.  Functions that
 * return bool return false when memory is short and leave the series empty.
 */
#ifndef TRACE_SERIES_H
#define TRACE_SERIES_H

#include "trace/model.h"

struct series { /* zeroed is empty; owned by whoever declares it */
    struct trace_sample *samples;
    size_t count;
    bool proportional; /* a sum whose `rss` is of PSS, for those processes that it is known of */
};

struct series_peak { /* the high-water mark of python + native */
    bool present;
    uint64_t time_us, python, native;
};

/* The samples of one process, from zero at its start until its end.  `high` is what was reached
   since the sample before if that is above both, otherwise the sample's own live memory. */
bool series_of_process(struct series *series, const struct trace *trace, uint32_t process);

/*
 * The sum over all processes, with a point for each moment at which one of them
 * was sampled, started or ended.  `high` of a point is what the sum reached if
 * the others stood still in between; the exact peak is put in where it was.
 */
bool series_of_all(struct series *series, const struct trace *trace);

/* The sum of those selected (by id), with the exact peak if it is that of one or of all. */
bool series_of_selected(struct series *series, const struct trace *trace, const bool *selected);

/* The sum of some, without the exact peak.  */
bool series_of_some(
    struct series *series, const struct trace *trace, const uint32_t *processes, size_t n);

/* The exact peak of one process, or of the sum (process 0). */
struct series_peak series_peak(const struct trace *trace, uint32_t process);

/* Keeps what lies between two moments; the values at the two edges are interpolated. */
bool series_window(struct series *series, uint64_t from_us, uint64_t to_us);

/* Keeps at most `points` points (at least 8): the lowest and highest live memory and RSS of each
   slice of time.  What `high` of a dropped point said goes to the next one kept. */
void series_thin(struct series *series, size_t points);

/* How RSS and live memory grow, by least squares over all that is in the series from `from_us` on,
   weighted by time. */
struct series_slope {
    bool present;
    uint64_t from_us, to_us;
    double rss, live;             /* bytes a second */
    double rss_start, live_start; /* bytes, of the lines at from_us */
};
struct series_slope series_slope(const struct series *series, uint64_t from_us);

/* The values on the line between two samples, a before b. */
struct trace_sample series_between(
    const struct trace_sample *a, const struct trace_sample *b, uint64_t time_us);

uint64_t series_live(const struct trace_sample *sample);
void series_free(struct series *series);

#endif
