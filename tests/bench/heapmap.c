/*
 * What the live map takes for an operation, beside blocks of the C library's malloc.
 *
 *     heapmap BLOCKS SIZE    prints nanoseconds: filling, runs of a hundred, at random; and the
 *                            map's own bytes for a block
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "collect/heapmap.h"

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void put(struct heapmap *map, const void *address)
{
    struct block block = {(uint64_t)(uintptr_t)address, 50, 1, 0}, old;
    heapmap_put(map, &block, &old);
}

static void take(struct heapmap *map, const void *address)
{
    struct block block;
    heapmap_take(map, (uint64_t)(uintptr_t)address, &block);
}

int main(int argc, char **argv)
{
    struct heapmap map = {0};
    if (argc != 3 || atol(argv[1]) < 1000) {
        fputs("usage: heapmap BLOCKS SIZE (at least 1000 blocks)\n", stderr);
        return 2;
    }
    size_t count = (size_t)atol(argv[1]), size = (size_t)atol(argv[2]), runs = count / 50;
    void **blocks = calloc(count, sizeof(*blocks));
    for (size_t i = 0; i < count; i++) {
        blocks[i] = malloc(size / 2 + (size_t)rand() % (size + 1));
    }
    double start = seconds();
    for (size_t i = 0; i < count; i++) {
        put(&map, blocks[i]);
    }
    double filled = seconds();
    for (size_t run = 0; run < runs; run++) {
        void **from = &blocks[(size_t)rand() % (count - 100)];
        for (int i = 0; i < 100; i++) {
            take(&map, from[i]);
        }
        for (int i = 0; i < 100; i++) {
            put(&map, from[i]);
        }
    }
    double ran = seconds();
    for (size_t i = 0; i < count; i++) {
        void *block = blocks[(size_t)rand() % count];
        take(&map, block);
        put(&map, block);
    }
    double room = (double)heapmap_bytes(&map);
    printf("%zu blocks of %zu bytes: filling %.0f ns, in runs %.0f ns, at random %.0f ns, "
           "%.1f bytes a block\n",
        count, size, (filled - start) / (double)count * 1e9,
        (ran - filled) / (double)(200 * runs) * 1e9, (seconds() - ran) / (double)(2 * count) * 1e9,
        room / (double)count);
    return 0;
}
