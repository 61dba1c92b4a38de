/*
 * Weights of samples (weight.h).  In the collector, for every sample, and in
 * reports.
 */
#include "trace/weight.h"

#include <math.h>

uint64_t weight_mix(uint64_t x) /* the finalizer of splitmix64 */
{
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ x >> 27) * 0x94d049bb133111ebull;
    return x ^ x >> 31;
}

/* One of the two whole numbers next to it, the nearer one the oftener. */
static int64_t whole(double number, uint64_t random)
{
    double below = floor(number);
    return (int64_t)below + (ldexp((double)(random >> 11), -53) < number - below);
}

struct weight weight_of(uint64_t size, uint64_t interval, uint64_t random)
{
    if (!interval)
        return (struct weight){(int64_t)size, 1, 0};
    double part = (double)(size ? size : 1) / (double)interval;
    double missed = exp(-part), chosen = -expm1(-part), stands_for = size ? part / chosen : 0;
    return (struct weight){
        .bytes = whole((double)size / chosen, random),
        .blocks = whole(1 / chosen, random),
        .spread = missed > 0 ? llround(stands_for * stands_for * missed * WEIGHT_SPREAD) : 0,
    };
}

struct weight weight_of_block(uint64_t address, uint64_t size, uint64_t interval)
{
    return weight_of(size, interval, weight_mix(address ^ size << 48));
}

double weight_deviation(int64_t spread, uint64_t interval)
{
    return spread > 0 ? sqrt((double)spread / WEIGHT_SPREAD) * (double)interval : 0;
}

int64_t weight_error(int64_t spread, uint64_t interval)
{
    return weight_error_of_two(spread, interval, 0, 0);
}

int64_t weight_error_of_two(
    int64_t spread, uint64_t interval, int64_t other_spread, uint64_t other_interval)
{
    const double normal_95 = 1.959964;
    double error = normal_95 * hypot(weight_deviation(spread, interval),
                                   weight_deviation(other_spread, other_interval));
    return error < 0x1p62 ? llround(error) : INT64_MAX / 2;
}
