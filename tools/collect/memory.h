/*
 * Memory of the collector.  There is nothing sensible to do without it: these
 * end `memtrace` with status 125 and a line on stderr; the traced program goes on.
 */
#ifndef COLLECT_MEMORY_H
#define COLLECT_MEMORY_H

#include <stddef.h>

void *memory_zeroed(size_t count, size_t size);
/* Room for at least `need` elements of an array that grows by doubling; new ones are zeroed. */
void *memory_grow(void *array, size_t *capacity, size_t need, size_t size);

#endif
