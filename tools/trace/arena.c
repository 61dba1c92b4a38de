/*
 * A bump allocator over blocks that grow.  Runs in the tools.
 */
#include "trace/arena.h"

#include <stdint.h>
#include <stdlib.h>

enum { BLOCK_SIZE = 256 << 10, ALIGNMENT = 16 };

struct arena_block {
    struct arena_block *next;
    size_t used, capacity;
    _Alignas(ALIGNMENT) unsigned char data[];
};

static struct arena_block *block_new(struct arena *arena, size_t size)
{
    size_t capacity = size > BLOCK_SIZE ? size : BLOCK_SIZE;
    struct arena_block *block = calloc(1, sizeof *block + capacity);
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
        free(arena->blocks);
        arena->blocks = next;
    }
}
