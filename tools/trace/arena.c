/*
 * A bump allocator over blocks that grow.  Runs in the tools.
 */
#include "trace/arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "trace/huge.h"

enum { BLOCK_SIZE = 256 << 10, LARGEST = 64 << 20, ALIGNMENT = 16 };

struct arena_block {
    struct arena_block *next;
    size_t used, capacity;
    _Alignas(ALIGNMENT) unsigned char data[];
};

static void *map_large(size_t size)
{
    void *memory = mmap(
        NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return NULL;
    huge_advise(memory, size);
    return memory;
}

static size_t size_of_block(const struct arena_block *block)
{
    return sizeof *block + block->capacity;
}

/* Twice the last one, so that a large arena has few blocks. */
static size_t capacity_for(const struct arena *arena, size_t size)
{
    size_t capacity = arena->blocks ? arena->blocks->capacity * 2 : BLOCK_SIZE;
    if (capacity > LARGEST)
        capacity = LARGEST;
    return size > capacity ? size : capacity;
}

static struct arena_block *block_new(struct arena *arena, size_t size)
{
    size_t capacity = capacity_for(arena, size);
    size_t whole = sizeof(struct arena_block) + capacity;
    struct arena_block *block = whole < HUGE_FROM ? calloc(1, whole) : map_large(whole);
    if (!block)
        return NULL;
    block->capacity = capacity;
    block->next = arena->blocks;
    arena->blocks = block;
    return block;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    struct arena_block *block = arena->blocks;
    if (size > SIZE_MAX / 2)
        return NULL;
    size = (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    if (!block || block->capacity - block->used < size)
        block = block_new(arena, size);
    if (!block)
        return NULL;
    void *memory = block->data + block->used;
    block->used += size;
    return memory;
}

void *arena_need(struct arena *arena, size_t size)
{
    void *memory = arena_alloc(arena, size);
    if (!memory)
        abort();
    return memory;
}

void arena_free(struct arena *arena)
{
    while (arena->blocks) {
        struct arena_block *next = arena->blocks->next;
        if (size_of_block(arena->blocks) < HUGE_FROM)
            free(arena->blocks);
        else
            munmap(arena->blocks, size_of_block(arena->blocks));
        arena->blocks = next;
    }
}

void *array_need(void *array, size_t *capacity, size_t count, size_t item)
{
    if (count < *capacity)
        return array;
    *capacity = count * 2 + 64;
    array = huge_realloc(array, *capacity, item);
    if (!array)
        abort();
    return array;
}
