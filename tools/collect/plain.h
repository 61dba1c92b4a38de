/*
 * Events as nearly all are: allocations and frees that change their block, its cell and the sums,
 * and nothing else.  In the collector, the short way through drain.c.
 */
#ifndef COLLECT_PLAIN_H
#define COLLECT_PLAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "collect/accounts.h"
#include "collect/ahead.h"
#include "collect/drain.h"

/* Takes events from the ring's tail on, those that begin before the word `end`, until there is one
   that needs more: it is untouched, and drain.c's to take.  Up to `head` words are published.
   False if it has to wait for another ring.  *ahead: up to which word the events to come have been
   looked at, 0 at first. */
bool plain_take(
    struct accounts *accounts, struct ring *ring, uint64_t *ahead, uint64_t end, uint64_t head);

#endif
