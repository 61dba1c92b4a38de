/*
 * Rings that are lent to processes which can make no file (struct mt_loan).
 */
#ifndef COLLECT_LOANS_H
#define COLLECT_LOANS_H

#include "collect/shared.h"

/* Answers those that have asked since. */
void loans_serve(struct shared *shared);
/* That of a number, as shared_map_ring does; NULL if none is lent under it. */
struct mt_ring *loans_map(const struct shared *shared, uint32_t number, uint64_t *bytes);
/* If the ring of that number is lent, its memory is free again. */
void loans_take_back(const struct shared *shared, uint32_t number);

#endif
