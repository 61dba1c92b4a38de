/*
 * Samples on their way into the trace.  A run of any length keeps about as many:
 * as it grows older more of them are merged before they are written.
 */
#ifndef COLLECT_TIMELINE_H
#define COLLECT_TIMELINE_H

#include <stdbool.h>

#include "collect/image.h"
#include "trace/writer.h"

#define TIMELINE_OF_AGE 1000u      /* a slice is this part of the time so far */
#define TIMELINE_DELAY_US 1000000u /* shorter slices are written at once */

/* Of each slice of the samples not yet written those stay that have the least and the most live
   memory and RSS, and the last of all; `high` of one that goes counts for the next. */
void timeline_thin(struct image *image, uint64_t slice_us);
/* Thins, then makes the body of a chunk TIMELINE and forgets the samples.  False if there is none
   yet: a slice is not over, unless `all` are asked for. */
bool timeline_take(struct image *image, uint64_t slice_us, bool all, struct buffer *body);

#endif
