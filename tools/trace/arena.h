/*
 * Memory that is freed all at once.  Used by the tools for what lives as long as
 * a trace or a view.  Zeroed is empty.  arena_alloc gives zeroed bytes, aligned
 * for anything, or NULL when there is no memory.
 */
#ifndef TRACE_ARENA_H
#define TRACE_ARENA_H

#include <stddef.h>

struct arena {
    struct arena_block *blocks;
};

void *arena_alloc(struct arena *arena, size_t size);
/* The same, but ends the process when there is no memory: for views, which are made to be shown
   and of which no part is any use. */
void *arena_need(struct arena *arena, size_t size);
void arena_free(struct arena *arena);

/* Room for one more than `count` items in an array that realloc may move; for views, too. */
void *array_need(void *array, size_t *capacity, size_t count, size_t item);

#endif
