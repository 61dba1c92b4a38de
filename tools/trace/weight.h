/*
 * What a sample stands for: in a trace that samples every block is there for all
 * blocks like it.
 *
 * With an interval of R bytes a block of s bytes is a sample with a probability of
 * p = 1 - exp(-s / R), so one that is stands for 1 / p blocks of s / p bytes: sums of these are
 * neither too large nor too small on average, whatever the sizes.
 */
#ifndef TRACE_WEIGHT_H
#define TRACE_WEIGHT_H

#include <stdint.h>

#define WEIGHT_SPREAD 65536 /* the unit of a spread is the interval's square by this */

struct weight {
    int64_t bytes, blocks; /* whole numbers, rounded so that their sums are right on average */
    int64_t spread;        /* what it adds to the variance of a sum of bytes */
};

/* `interval` 0: the block is there for itself.  `random` says how to round. */
struct weight weight_of(uint64_t size, uint64_t interval, uint64_t random);
/* The same every time for a block that lives. */
struct weight weight_of_block(uint64_t address, uint64_t size, uint64_t interval);
/* 64 bits of it, each of which depends on all of x. */
uint64_t weight_mix(uint64_t x);
/* The standard deviation, in bytes, of a sum with that spread. */
double weight_deviation(int64_t spread, uint64_t interval);
/* The truth is within this of the sum in 95 of 100 cases; of two sums, of their difference. */
int64_t weight_error(int64_t spread, uint64_t interval);
int64_t weight_error_of_two(
    int64_t spread, uint64_t interval, int64_t other_spread, uint64_t other_interval);

#endif
