/*
 * How much of large blocks and maps the program has never touched: memory that it
 * asked for and that has no page.  In the collector, at the rate of samples.
 *
 * Pages are looked at through /proc/PID/pagemap, in at most a hundredth of the
 * time, and only of blocks of HEAPMAP_LARGE bytes and more.  A block that goes
 * while it is looked at has no page either: what was seen counts a round of
 * samples later, if the block is still there.
 */
#ifndef COLLECT_TOUCHED_H
#define COLLECT_TOUCHED_H

#include "collect/session.h"

/* Takes up what was seen, and looks again when it is time. */
void touched_take(struct collector *collector);
/* Writes what was taken up. */
void touched_flush(struct collector *collector);
/* The process is over: it is not looked at any more. */
void touched_close(struct image *image);

#endif
