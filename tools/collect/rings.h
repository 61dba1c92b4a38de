/*
 * The rings of a session: found, emptied in turn, closed.
 */
#ifndef COLLECT_RINGS_H
#define COLLECT_RINGS_H

#include "collect/drain.h"
#include "collect/session.h"

/* Opens what agents have made since.  What is not ready yet is come back to. */
void rings_open(struct collector *collector);
/* Was the ring of that number opened, be it closed again? */
bool rings_are_open(const struct collector *collector, uint32_t number);
/* The one that is open under that number, or NULL. */
struct ring *rings_find(const struct collector *collector, uint32_t number);
/* From now on no ring is opened, and nothing is taken that is not published yet. */
void rings_bound(struct collector *collector);
/* Takes a batch of events out of each ring; the number of words. */
uint64_t rings_drain(struct collector *collector);
/* The same of one image's. */
uint64_t rings_drain_of(struct collector *collector, const struct image *image);
/* One that was opened, to its image. */
void rings_add(struct collector *collector, struct ring *ring);
void rings_close(struct collector *collector, struct ring *ring);
/* After a kill of the collector: maps them anew. */
void rings_reopen(struct collector *collector);
/* Finds how many bytes of each living image's resident set are the agent's. */
void rings_weigh(struct collector *collector);

#endif
