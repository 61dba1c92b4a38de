/*
 * Stretches of time that programs named, and the questions that they asked.
 * In the collector.
 */
#ifndef COLLECT_REGIONS_H
#define COLLECT_REGIONS_H

#include <stdint.h>

#include "collect/session.h"

/* Regions of a process that are over its maximum are not recorded. */
#define REGIONS_MAX 1000000u

/* `name` is a string of the trace. */
void regions_begin(struct collector *collector, struct ring *ring, uint32_t number, uint32_t name);
/* Ends it and answers the question, if it is not 0. */
void regions_end(
    struct collector *collector, struct ring *ring, uint32_t number, uint32_t question);
/* The process is over, and so are those of its regions that were open. */
void regions_close(struct collector *collector, struct image *image);
/* Writes those that ended since the last time. */
void regions_flush(struct collector *collector);

/* Largest live sum of an image since the last call: for its timeline. */
uint64_t regions_take_high(struct image *image);

/* Answers a ring's question with `count` numbers. */
void regions_answer(struct ring *ring, uint32_t question, const uint64_t *answers, unsigned count);

#endif
