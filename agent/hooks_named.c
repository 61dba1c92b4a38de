/*
 * The functions that mimalloc and tcmalloc have under their own names, of the
 * allocator whose malloc is behind ours (hooks_doors.c).  In the host, in every
 * call.
 *
 * Nearly all of those that give or take blocks are there, since a block that came through one door
 * may go through any; what may throw is in hooks_new.c.  Not: names of files (mi_realpath)
 * and of variables (mi_dupenv_s).
 */
#include <string.h>

#include "doors.h"
#include "elfsym.h"
#include "hooks.h"
#include "named.h"
#include "rebind.h"

typedef struct mi_heap_s heap;

/* ---- both ---- */

FAMILY(tc)
FAMILY(mi)

/* ---- tcmalloc ---- */

GIVES(tc_malloc_skip_new_handler, (size_t size), (size), size)
TAKES(tc_free_sized, (void *block, size_t size), (block, size))

/* ---- mimalloc: of the thread's heap, and of one that is named ---- */

GIVES(mi_malloc_small, (size_t size), (size), size)
GIVES(mi_zalloc_small, (size_t size), (size), size)
GIVES(mi_zalloc, (size_t size), (size), size)
GIVES(mi_mallocn, (size_t count, size_t size), (count, size), count *size)
GIVES(mi_strdup, (const char *text), (text), strlen(block) + 1)
GIVES(mi_strndup, (const char *text, size_t most), (text, most), strlen(block) + 1)
GIVES(mi_aligned_alloc, (size_t alignment, size_t size), (alignment, size), size)
GIVES(mi_malloc_aligned, (size_t size, size_t alignment), (size, alignment), size)
GIVES(mi_zalloc_aligned, (size_t size, size_t alignment), (size, alignment), size)
GIVES(mi_calloc_aligned, (size_t count, size_t size, size_t alignment), (count, size, alignment),
    count *size)
GIVES(mi_malloc_aligned_at, (size_t size, size_t alignment, size_t offset),
    (size, alignment, offset), size)
GIVES(mi_zalloc_aligned_at, (size_t size, size_t alignment, size_t offset),
    (size, alignment, offset), size)
MOVES(mi_rezalloc, (void *old, size_t size), (old, size), size)
MOVES(mi_reallocn, (void *old, size_t count, size_t size), (old, count, size), count *size)
MOVES(mi_reallocarray, (void *old, size_t count, size_t size), (old, count, size), count *size)
MOVES(mi_recalloc, (void *old, size_t count, size_t size), (old, count, size), count *size)
MOVES(mi_realloc_aligned, (void *old, size_t size, size_t alignment), (old, size, alignment), size)
MOVES(mi_rezalloc_aligned, (void *old, size_t size, size_t alignment), (old, size, alignment), size)
TAKES(mi_free_size, (void *block, size_t size), (block, size))
TAKES(mi_free_size_aligned, (void *block, size_t size, size_t alignment), (block, size, alignment))
TAKES(mi_free_aligned, (void *block, size_t alignment), (block, alignment))

GIVES(mi_heap_malloc, (heap * of, size_t size), (of, size), size)
GIVES(mi_heap_malloc_small, (heap * of, size_t size), (of, size), size)
GIVES(mi_heap_zalloc, (heap * of, size_t size), (of, size), size)
GIVES(mi_heap_calloc, (heap * of, size_t count, size_t size), (of, count, size), count *size)
GIVES(mi_heap_mallocn, (heap * of, size_t count, size_t size), (of, count, size), count *size)
GIVES(mi_heap_strdup, (heap * of, const char *text), (of, text), strlen(block) + 1)
GIVES(mi_heap_strndup, (heap * of, const char *text, size_t most), (of, text, most),
    strlen(block) + 1)
GIVES(
    mi_heap_malloc_aligned, (heap * of, size_t size, size_t alignment), (of, size, alignment), size)
GIVES(
    mi_heap_zalloc_aligned, (heap * of, size_t size, size_t alignment), (of, size, alignment), size)
MOVES(mi_heap_realloc, (heap * of, void *old, size_t size), (of, old, size), size)
MOVES(mi_heap_rezalloc, (heap * of, void *old, size_t size), (of, old, size), size)
MOVES(mi_heap_reallocn, (heap * of, void *old, size_t count, size_t size), (of, old, count, size),
    count *size)
MOVES(mi_heap_recalloc, (heap * of, void *old, size_t count, size_t size), (of, old, count, size),
    count *size)

GIVES(mi_calloc_aligned_at, (size_t count, size_t size, size_t alignment, size_t offset),
    (count, size, alignment, offset), count *size)
MOVES(mi_reallocf, (void *old, size_t size), (old, size), size)
MOVES(mi_realloc_aligned_at, (void *old, size_t size, size_t alignment, size_t offset),
    (old, size, alignment, offset), size)
MOVES(mi_rezalloc_aligned_at, (void *old, size_t size, size_t alignment, size_t offset),
    (old, size, alignment, offset), size)
MOVES(mi_recalloc_aligned, (void *old, size_t count, size_t size, size_t alignment),
    (old, count, size, alignment), count *size)
MOVES(mi_recalloc_aligned_at,
    (void *old, size_t count, size_t size, size_t alignment, size_t offset),
    (old, count, size, alignment, offset), count *size)
GIVES(mi_heap_malloc_aligned_at, (heap * of, size_t size, size_t alignment, size_t offset),
    (of, size, alignment, offset), size)
GIVES(mi_heap_zalloc_aligned_at, (heap * of, size_t size, size_t alignment, size_t offset),
    (of, size, alignment, offset), size)
GIVES(mi_heap_calloc_aligned, (heap * of, size_t count, size_t size, size_t alignment),
    (of, count, size, alignment), count *size)
GIVES(mi_heap_calloc_aligned_at,
    (heap * of, size_t count, size_t size, size_t alignment, size_t offset),
    (of, count, size, alignment, offset), count *size)
MOVES(mi_heap_reallocf, (heap * of, void *old, size_t size), (of, old, size), size)
MOVES(mi_heap_realloc_aligned, (heap * of, void *old, size_t size, size_t alignment),
    (of, old, size, alignment), size)
MOVES(mi_heap_realloc_aligned_at,
    (heap * of, void *old, size_t size, size_t alignment, size_t offset),
    (of, old, size, alignment, offset), size)
MOVES(mi_heap_rezalloc_aligned, (heap * of, void *old, size_t size, size_t alignment),
    (of, old, size, alignment), size)
MOVES(mi_heap_recalloc_aligned, (heap * of, void *old, size_t count, size_t size, size_t alignment),
    (of, old, count, size, alignment), count *size)

/* ---- of those that may throw or end the program: after what returns NULL has failed ---- */

static void *(*next_mi_new_realloc)(void *, size_t);
static void *(*next_mi_new_reallocn)(void *, size_t, size_t);
static void *(*next_mi_heap_alloc_new)(heap *, size_t);
static void *(*next_mi_heap_alloc_new_n)(heap *, size_t, size_t);

static void *calm_move(void *old, size_t size, struct caller caller)
{
    struct nested outer;
    bool known = false;
    enum entry entry = doors_begin_move(&outer, old, &known, caller);
    void *block = next_mi_realloc(old, size);
    doors_end_move(old, known, block, size, caller, entry, &outer);
    return block;
}

static void *calm_new(heap *of, size_t size, struct caller caller)
{
    struct nested outer;
    enum entry entry = doors_begin(&outer, caller);
    void *block = next_mi_heap_malloc(of, size);
    return entry == ENTRY_NONE || !block ? doors_leave(block, entry, &outer)
                                         : doors_end(block, size, caller, entry, &outer);
}

/* The old block is gone before it is said, which other threads could see; memory has just run out.
 */
static void *note_move(void *old, void *block, size_t size, struct caller caller)
{
    struct nested outer;
    doors_end_delete(doors_begin_delete(&outer, old, caller), &outer);
    return doors_note(block, size, caller);
}

static void *hook_mi_new_realloc(void *old, size_t size)
{
    struct caller caller = NATIVE_CALLER;
    void *block = next_mi_realloc ? calm_move(old, size, caller) : NULL;
    return block ? block : note_move(old, next_mi_new_realloc(old, size), size, caller);
}

static void *hook_mi_new_reallocn(void *old, size_t count, size_t size)
{
    struct caller caller = NATIVE_CALLER;
    size_t bytes;
    bool is_sum = !__builtin_mul_overflow(count, size, &bytes);
    void *block = is_sum && next_mi_realloc ? calm_move(old, bytes, caller) : NULL;
    return block ? block : note_move(old, next_mi_new_reallocn(old, count, size), bytes, caller);
}

static void *hook_mi_heap_alloc_new(heap *of, size_t size)
{
    struct caller caller = NATIVE_CALLER;
    void *block = next_mi_heap_malloc ? calm_new(of, size, caller) : NULL;
    return block ? block : doors_note(next_mi_heap_alloc_new(of, size), size, caller);
}

static void *hook_mi_heap_alloc_new_n(heap *of, size_t count, size_t size)
{
    struct caller caller = NATIVE_CALLER;
    size_t bytes;
    bool is_sum = !__builtin_mul_overflow(count, size, &bytes);
    void *block = is_sum && next_mi_heap_malloc ? calm_new(of, bytes, caller) : NULL;
    return block ? block : doors_note(next_mi_heap_alloc_new_n(of, count, size), bytes, caller);
}

/* ---- mi_heap_destroy: frees blocks that nobody names ---- */

typedef bool visitor(const heap *of, const void *area, void *block, size_t size, void *data);

static void (*next_mi_heap_destroy)(heap *);
static bool (*visit_blocks)(const heap *, bool, visitor *, void *);
static void (*collect)(heap *, bool);

static bool free_block(const heap *of, const void *area, void *block, size_t size, void *data)
{
    const struct caller *caller = data;
    struct nested outer;
    if (block) {
        doors_end_delete(doors_begin_delete(&outer, block, *caller), &outer);
    }
    return true;
}

/* What other threads have freed meanwhile is still among its blocks until it is collected. */
static void hook_mi_heap_destroy(heap *of)
{
    struct caller caller = NATIVE_CALLER;
    if (visit_blocks && collect) {
        collect(of, true);
        visit_blocks(of, true, free_block, &caller);
    }
    next_mi_heap_destroy(of);
}

/* ---- */

static const struct rebind doors[] = {
    DOORS(tc),
    DOOR(tc_malloc_skip_new_handler),
    DOOR(tc_free_sized),
    DOORS(mi),
    DOOR(mi_malloc_small),
    DOOR(mi_zalloc_small),
    DOOR(mi_zalloc),
    DOOR(mi_mallocn),
    DOOR(mi_strdup),
    DOOR(mi_strndup),
    DOOR(mi_aligned_alloc),
    DOOR(mi_malloc_aligned),
    DOOR(mi_zalloc_aligned),
    DOOR(mi_calloc_aligned),
    DOOR(mi_malloc_aligned_at),
    DOOR(mi_zalloc_aligned_at),
    DOOR(mi_rezalloc),
    DOOR(mi_reallocn),
    DOOR(mi_reallocarray),
    DOOR(mi_recalloc),
    DOOR(mi_realloc_aligned),
    DOOR(mi_rezalloc_aligned),
    DOOR(mi_free_size),
    DOOR(mi_free_size_aligned),
    DOOR(mi_free_aligned),
    DOOR(mi_heap_malloc),
    DOOR(mi_heap_malloc_small),
    DOOR(mi_heap_zalloc),
    DOOR(mi_heap_calloc),
    DOOR(mi_heap_mallocn),
    DOOR(mi_heap_strdup),
    DOOR(mi_heap_strndup),
    DOOR(mi_heap_malloc_aligned),
    DOOR(mi_heap_zalloc_aligned),
    DOOR(mi_heap_realloc),
    DOOR(mi_heap_rezalloc),
    DOOR(mi_heap_reallocn),
    DOOR(mi_heap_recalloc),
    DOOR(mi_calloc_aligned_at),
    DOOR(mi_reallocf),
    DOOR(mi_realloc_aligned_at),
    DOOR(mi_rezalloc_aligned_at),
    DOOR(mi_recalloc_aligned),
    DOOR(mi_recalloc_aligned_at),
    DOOR(mi_heap_malloc_aligned_at),
    DOOR(mi_heap_zalloc_aligned_at),
    DOOR(mi_heap_calloc_aligned),
    DOOR(mi_heap_calloc_aligned_at),
    DOOR(mi_heap_reallocf),
    DOOR(mi_heap_realloc_aligned),
    DOOR(mi_heap_realloc_aligned_at),
    DOOR(mi_heap_rezalloc_aligned),
    DOOR(mi_heap_recalloc_aligned),
    DOOR(mi_new_realloc),
    DOOR(mi_new_reallocn),
    DOOR(mi_heap_alloc_new),
    DOOR(mi_heap_alloc_new_n),
    DOOR(mi_heap_destroy),
};

void hooks_named_resolve(const void *allocator, bool itself)
{
    visit_blocks =
        (bool (*)(const heap *, bool, visitor *, void *))elfsym_next("mi_heap_visit_blocks");
    collect = (void (*)(heap *, bool))elfsym_next("mi_heap_collect");
    rebind(doors, sizeof(doors) / sizeof(doors[0]), allocator, itself);
}
