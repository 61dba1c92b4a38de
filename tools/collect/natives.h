/*
 * Native callers as a ring defines them: objects and addresses in them.  In the
 * collector.
 */
#ifndef COLLECT_NATIVES_H
#define COLLECT_NATIVES_H

#include "collect/drain.h"

/* A MODULE record: the scratch text holds its path and its build id. */
void natives_define_module(struct ring *ring, struct definitions *definitions, uint32_t number,
    uint64_t base, uint64_t path_size, uint32_t id_size);
/* The trace's id of what a NODE with MT_NATIVE says, on top of another or of none (0). */
uint32_t natives_define(
    struct ring *ring, struct definitions *definitions, uint32_t parent, uint64_t word);
/* The same of Python frames on top of native ones, which were called from the stack `node`. */
uint32_t natives_define_anchor(struct definitions *definitions, uint32_t native, uint32_t node);

#endif
