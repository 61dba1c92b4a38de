/*
 * A line of text as a plot: one character for each value.
 */
#ifndef RENDER_SPARK_H
#define RENDER_SPARK_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* From 0 or the lowest value, if that is below, to the highest; blocks where the terminal has
   UTF-8, else ASCII. */
void print_spark(FILE *file, const int64_t *values, size_t count);
/* The values of a curve of straight lines (count points, in order of time) at n moments, evenly
   from one time to another.  Before its first point a curve is 0. */
void spark_sample(int64_t *values, size_t n, uint64_t from_us, uint64_t to_us,
    const uint64_t *times_us, const int64_t *sizes, size_t count);

#endif
