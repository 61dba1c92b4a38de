/*
 * What threads are called.  In the collector.
 */
#ifndef COLLECT_NAMES_H
#define COLLECT_NAMES_H

#include <stdint.h>

#include "memtrace/ring.h"

struct collector;
struct ring;

/* The thread of the ring is called so. */
void names_thread(
    struct collector *collector, struct ring *ring, uint32_t name, enum mt_name kind);
/* Asks the kernel about the threads that have done something since the last time. */
void names_look(struct collector *collector);

#endif
