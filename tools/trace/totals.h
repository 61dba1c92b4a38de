/*
 * What a program did with memory in all: how much it asked for and gave back, in
 * blocks of which sizes, by domain.  A view: it runs in reports.
 */
#ifndef TRACE_TOTALS_H
#define TRACE_TOTALS_H

#include "trace/view.h"

enum { TOTALS_BITS = 65 };

struct totals_part {                /* of one domain, or of all that are live memory */
    int64_t allocations, allocated; /* blocks and bytes up to the moment */
    int64_t frees, freed;           /* what of it is gone by then */
    int64_t live, blocks;
    int64_t live_error, allocated_error, freed_error; /* of a trace of samples (weight_error) */
    int64_t spread, allocated_spread;
    uint64_t temporary, counted; /* of so many that histograms know of */
    uint64_t sizes[TOTALS_BITS]; /* allocations, by the number of bits of the size */
};

struct totals {
    struct view view; /* without rows */
    struct totals_part domains[MT_DOMAINS], all;
    /* Histograms are of whole processes at their own end: only then, and without other filters. */
    bool has_sizes;
    uint64_t seconds_us; /* from the first process's start to the moment */
    uint64_t peak_rss;
    bool proportional; /* of several processes: it is PSS */
};

/* As view_make; `options` must outlive it.  totals_free it in any case. */
enum view_error totals_make(
    struct totals *totals, const struct trace *trace, const struct view_options *options);
void totals_free(struct totals *totals);

#endif
