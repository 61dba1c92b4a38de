/*
 * Allocation that does not fail (memory.h).  In the collector.
 */
#include "collect/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *checked(void *memory)
{
    if (!memory) {
        fputs("memtrace: the collector has no memory left; the program goes on untraced\n", stderr);
        exit(125);
    }
    return memory;
}

void *memory_zeroed(size_t count, size_t size)
{
    return checked(calloc(count ? count : 1, size));
}

void *memory_grow(void *array, size_t *capacity, size_t need, size_t size)
{
    if (need <= *capacity) {
        return array;
    }
    size_t grown = *capacity ? *capacity * 2 : 64;
    while (grown < need) {
        grown *= 2;
    }
    array = checked(reallocarray(array, grown, size));
    memset((char *)array + *capacity * size, 0, (grown - *capacity) * size);
    *capacity = grown;
    return array;
}
