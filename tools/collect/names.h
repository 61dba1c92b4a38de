/*
 * What threads are called.  In the collector.
 */
#ifndef COLLECT_NAMES_H
#define COLLECT_NAMES_H

#include <stdbool.h>
#include <stdint.h>

struct collector;
struct ring;

/* The thread of the ring is called so; is_given: it was named, and not only inherited that. */
void names_thread(struct collector *collector, struct ring *ring, uint32_t name, bool is_given);
/* Asks the kernel about the threads that have done something since the last time. */
void names_look(struct collector *collector);

#endif
