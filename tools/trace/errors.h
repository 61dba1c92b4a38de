/*
 * How uncertain the live memory of a trace of samples is over time: known at each
 * boundary, as it is a sum of blocks like the memory itself.
 */
#ifndef TRACE_ERRORS_H
#define TRACE_ERRORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "trace/model.h"

struct errors { /* zeroed: nothing is uncertain */
    uint64_t *times_us;
    int64_t *values; /* bytes: the truth is within in 95 of 100 cases */
    size_t count;
};

/* Of the Python and native memory of the processes selected (by id), together.  errors_free it. */
struct errors errors_make(const struct trace *trace, const bool *selected);
/* Between two boundaries on the line between them. */
int64_t errors_at(const struct errors *errors, uint64_t time_us);
void errors_free(struct errors *errors);

#endif
