/*
 * Processes that a fork made and that have no ring: they may live on when the program has ended, as
 * a daemon does that has not allocated anything yet.  In the collector.
 */
#ifndef COLLECT_UNSEEN_H
#define COLLECT_UNSEEN_H

#include "collect/session.h"

/* The main program has ended.  Gives children that it forked last the time to come to be, at most a
   tenth of a second, and takes what they write. */
void unseen_wait(struct collector *collector);
/* How many are there, of the latest MT_FORKED; before the shared memory is closed. */
uint32_t unseen_count(const struct collector *collector);

#endif
