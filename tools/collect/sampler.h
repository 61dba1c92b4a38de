/*
 * The resident set size of traced processes, read from outside, and with it the
 * live totals: one sample of a process's timeline.
 */
#ifndef COLLECT_SAMPLER_H
#define COLLECT_SAMPLER_H

#include "collect/session.h"

/* A descriptor for sampler_take, -1 if the process cannot be read. */
int sampler_open(int pid);
void sampler_take(struct collector *collector, struct image *image);

#endif
