/*
 * Hooks on CPython's debug layer, which puts bytes of its own around each block.  What
 * they record are the address and the size that the program has.
 */
#ifndef AGENT_DEBUGHOOKS_H
#define AGENT_DEBUGHOOKS_H

#include <stdbool.h>
#include <stddef.h>

#include "layers.h"

/* True if a block asked of `top` comes to one of these hooks. */
bool debughooks_reach(int domain, const struct allocator *top);
/* Makes `hook`, which is about to be put on a debug layer, one that notices if that is turned
   round. */
void debughooks_watch(int domain, struct allocator *hook);
/* What the program has of a block that the debug layer asked for. */
static inline void *debughooks_block(void *base)
{
    return base ? (char *)base + LAYERS_DEBUG_BYTES : base;
}

static inline size_t debughooks_size(size_t size)
{
    return size - LAYERS_DEBUG_EXTRA;
}

#endif
