/*
 * What a ring defines before it is used: code objects and stacks, by numbers of its own, and what
 * they are in the trace.
 */
#ifndef COLLECT_RINGDEFS_H
#define COLLECT_RINGDEFS_H

#include "collect/definitions.h"
#include "collect/drain.h"

/* The records CODE (of code `code`) and NODE at the ring's tail. */
void ringdefs_code(struct ring *ring, struct definitions *definitions, uint32_t code);
void ringdefs_node(struct ring *ring, struct definitions *definitions);
/* The trace's site for a node of the ring and a domain, with the ring's process and thread. */
uint32_t ringdefs_site(
    struct ring *ring, struct definitions *definitions, uint32_t node, uint32_t domain);
/* The record RESET: nothing is defined any more. */
void ringdefs_reset(struct ring *ring);
void ringdefs_free(struct ring *ring);

#endif
