/*
 * The interpreter's allocators as a pile: what a hook of ours lies on, and what
 * lies on it.  Between may be the layers that CPython has of its own (the debug
 * hooks, tracemalloc) and other people's.
 */
#ifndef AGENT_LAYERS_H
#define AGENT_LAYERS_H

#include <stdbool.h>
#include <stddef.h>

struct allocator { /* PyMemAllocatorEx */
    void *context;
    void *(*malloc)(void *context, size_t size);
    void *(*calloc)(void *context, size_t count, size_t size);
    void *(*realloc)(void *context, void *old, size_t size);
    void (*free)(void *context, void *address);
};

/* The debug layer puts two words before each block and one behind (CPython, Objects/obmalloc.c). */
#define LAYERS_DEBUG_BYTES (2 * sizeof(size_t))
#define LAYERS_DEBUG_EXTRA (3 * sizeof(size_t))

/* True if a block asked of `top` comes to `hook`, whose context is of layers_add. */
bool layers_reach(const struct allocator *top, const struct allocator *hook);
/* The context for a hook on top of `below`, one from before if there is one; NULL if there have
   been too many. */
struct allocator *layers_add(const struct allocator *below);
/* Where the hook belongs in the pile under `top`: NULL if on it, else in the place of what this
   points to.  tracemalloc stays above, so that its tables are memory as any other. */
struct allocator *layers_place(const struct allocator *top);
/* True if this is CPython's debug layer, which may lie on anything. */
bool layers_is_debug(const struct allocator *layer);
/* If `top` is a debug layer that lies on a hook of ours: takes that out of the pile.  True if so.
 */
bool layers_lift(const struct allocator *top);
/* `layer` is the debug layer that a hook lies on.  If PyMem_SetupDebugHooks has taken it from there
   and put it on the hook, so that both lie on each other: they lie again as they lay, and returned
   is what is below the layer, for the call under way, which has been through it. */
const struct allocator *layers_end_circle(const struct allocator *layer);
/* True if this block is one that the debug layer is about to free or to move. */
bool layers_debug_frees(const void *address);

#endif
