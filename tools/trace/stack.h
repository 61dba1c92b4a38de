/*
 * The biggest rows of a view over time: what each held at every retained
 * boundary, at the peak, and at the end of the process that it is of.  Between
 * them straight lines are as good as anything: nothing else is known, unless the
 * trace keeps every event: then there are a thousand points more.
 */
#ifndef TRACE_STACK_H
#define TRACE_STACK_H

#include "trace/view.h"

struct stack {
    struct view view;   /* its rows, in another order */
    uint32_t *rows;     /* of the view, the biggest first, by the most they ever held */
    size_t n_rows;      /* at most what was asked for */
    size_t n_others;    /* rows that are not among them */
    uint64_t *times_us; /* of the points, in order */
    int64_t *values;    /* n_rows for each point, then n_rows of the next */
    size_t n_points;
};

/* As view_make; `options` must outlive it.  stack_free it in any case. */
enum view_error stack_make(struct stack *stack, const struct trace *trace,
    const struct view_options *options, size_t limit);
void stack_free(struct stack *stack);
/* What one of the rows (by rank) held at a time, on the line between two points. */
double stack_value(const struct stack *stack, size_t row, uint64_t time_us);

#endif
