/*
 * What a process maps, unmaps and moves (mmap, munmap, mremap, brk, arenas), by the records of
 * its rings.
 */
#ifndef COLLECT_MAPS_H
#define COLLECT_MAPS_H

#include "collect/accounts.h"
#include "collect/drain.h"

/* The records MAP and UNMAP at the ring's tail; `node` is the ring's, flags are enum mt_map_flags.
 */
void maps_map(struct accounts *accounts, struct ring *ring, uint32_t node, uint32_t flags);
void maps_unmap(struct accounts *accounts, struct ring *ring, uint32_t flags);
/* What is being moved, if anything: it stays where it was; it has gone. */
void maps_stay(struct accounts *accounts, struct ring *ring);
void maps_go(struct accounts *accounts, struct ring *ring);

#endif
