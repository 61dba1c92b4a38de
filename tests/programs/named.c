/*
 * Blocks through the functions that an allocator has under its own name, and what
 * is freed by another than it came from.  Prints how many bytes and blocks it
 * kept between the marks "before" and "after", and what was wrong.
 *
 * -DNAME(x)=mi_##x or tc_##x; -DMIMALLOC, -DTCMALLOC: with what that one alone has.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memtrace/memtrace.h"

void *NAME(malloc)(size_t);
void *NAME(calloc)(size_t, size_t);
void *NAME(realloc)(void *, size_t);
void *NAME(memalign)(size_t, size_t);
void *NAME(valloc)(size_t);
int NAME(posix_memalign)(void **, size_t, size_t);
void NAME(free)(void *);
void NAME(cfree)(void *);
void *NAME(new)(size_t);
void *NAME(new_nothrow)(size_t, const void *);
void *NAME(new_aligned)(size_t, size_t);
void *NAME(new_aligned_nothrow)(size_t, size_t, const void *);

static size_t kept_bytes;
static unsigned kept_blocks, wrong;

static void keep(void *block, size_t size)
{
    wrong += !block;
    kept_bytes += size;
    kept_blocks++;
}

static void common(size_t n)
{
    void *block = NULL;
    keep(NAME(malloc)(n * 7), n * 7);
    keep(NAME(calloc)(n, 13), n * 13);
    keep(NAME(realloc)(NULL, n * 3), n * 3);
    keep(NAME(realloc)(NAME(malloc)(n), n * 100), n * 100);
    keep(realloc(NAME(malloc)(n), n * 101), n * 101);
    keep(NAME(realloc)(malloc(n), n * 102), n * 102);
    keep(NAME(memalign)(256, n * 5), n * 5);
    keep(NAME(valloc)(n * 11), n * 11);
    wrong += NAME(posix_memalign)(&block, 64, n * 9) != 0;
    keep(block, n * 9);
    keep(NAME(new)(n * 15), n * 15);
    keep(NAME(new_nothrow)(n * 21, ""), n * 21);
    keep(NAME(new_aligned)(n * 25, 64), n * 25);
    keep(NAME(new_aligned_nothrow)(n * 27, 64, ""), n * 27);
    wrong += NAME(new_nothrow)(~(size_t)0 >> 1, "") != NULL;
    free(NAME(new)(n));
    NAME(free)(NAME(new_aligned)(n, 128));
    NAME(free)(malloc(n));
    free(NAME(malloc)(n));
    NAME(cfree)(NAME(calloc)(n, 2));
    NAME(free)(NULL);
}

#ifdef TCMALLOC
void *tc_newarray(size_t);
void *tc_newarray_nothrow(size_t, const void *);
void tc_delete(void *);
void tc_delete_sized(void *, size_t);
void tc_delete_aligned(void *, size_t);
void tc_deletearray(void *);
void tc_deletearray_nothrow(void *, const void *);

static void alone(size_t n)
{
    keep(tc_newarray(n * 17), n * 17);
    keep(tc_newarray_nothrow(n * 19, ""), n * 19);
    tc_delete(tc_new(n));
    tc_delete_sized(tc_new(n), n);
    tc_delete_aligned(tc_new_aligned(n, 64), 64);
    tc_deletearray(tc_newarray(n));
    tc_deletearray_nothrow(malloc(n), "");
}
#endif

#ifdef MIMALLOC
struct heap;
struct heap *mi_heap_new(void);
void mi_heap_delete(struct heap *);
void mi_heap_destroy(struct heap *);
void *mi_realloc_aligned_at(void *, size_t, size_t, size_t);
void *mi_heap_malloc_aligned_at(struct heap *, size_t, size_t, size_t);
void *mi_heap_realloc_aligned(struct heap *, void *, size_t, size_t);
void *mi_new_n(size_t, size_t);
void *mi_new_realloc(void *, size_t);
void *mi_new_reallocn(void *, size_t, size_t);
void *mi_heap_alloc_new(struct heap *, size_t);
void *mi_heap_alloc_new_n(struct heap *, size_t, size_t);
void *mi_zalloc(size_t);
void *mi_malloc_small(size_t);
void *mi_mallocn(size_t, size_t);
void *mi_reallocn(void *, size_t, size_t);
void *mi_rezalloc(void *, size_t);
void *mi_recalloc(void *, size_t, size_t);
char *mi_strdup(const char *);
char *mi_strndup(const char *, size_t);
void *mi_malloc_aligned(size_t, size_t);
void *mi_zalloc_aligned(size_t, size_t);
void *mi_realloc_aligned(void *, size_t, size_t);
void mi_free_size(void *, size_t);
void mi_free_aligned(void *, size_t);
void *mi_heap_malloc(struct heap *, size_t);
void *mi_heap_calloc(struct heap *, size_t, size_t);
void *mi_heap_realloc(struct heap *, void *, size_t);
char *mi_heap_strdup(struct heap *, const char *);

/* What is deleted lives on, what is destroyed does not, whether others have freed of it or not. */
static void heaps(size_t n)
{
    struct heap *deleted = mi_heap_new(), *destroyed = mi_heap_new();
    void *freed = mi_heap_malloc(destroyed, n);
    keep(mi_heap_malloc(deleted, n * 61), n * 61);
    for (size_t i = 0; i < 1000; i++) {
        mi_heap_malloc(destroyed, n * (i % 100));
    }
    mi_free(freed);
    mi_heap_delete(deleted);
    mi_heap_destroy(destroyed);
}

static void alone(struct heap *heap, size_t n)
{
    heaps(n);
    keep(mi_realloc_aligned_at(mi_malloc(5), n * 87, 64, 8), n * 87);
    keep(mi_heap_malloc_aligned_at(heap, n * 89, 64, 8), n * 89);
    keep(mi_heap_realloc_aligned(heap, mi_malloc(5), n * 91, 64), n * 91);
    keep(mi_new_n(n, 67), n * 67);
    keep(mi_new_realloc(mi_new(5), n * 71), n * 71);
    keep(mi_new_realloc(NULL, n * 3), n * 3);
    keep(mi_new_reallocn(malloc(5), n, 73), n * 73);
    keep(mi_heap_alloc_new(heap, n * 79), n * 79);
    keep(mi_heap_alloc_new_n(heap, n, 83), n * 83);
    keep(mi_zalloc(n * 17), n * 17);
    keep(mi_malloc_small(100), 100);
    keep(mi_mallocn(n, 19), n * 19);
    keep(mi_reallocn(mi_malloc(5), n, 23), n * 23);
    keep(mi_rezalloc(mi_zalloc(5), n * 29), n * 29);
    keep(mi_recalloc(mi_calloc(1, 5), n, 31), n * 31);
    keep(mi_strdup("twelve bytes"), 13);
    keep(mi_strndup("twelve bytes", 6), 7);
    keep(mi_malloc_aligned(n * 37, 64), n * 37);
    keep(mi_zalloc_aligned(n * 41, 128), n * 41);
    keep(mi_realloc_aligned(mi_malloc(5), n * 43, 64), n * 43);
    keep(mi_heap_malloc(heap, n * 47), n * 47);
    keep(mi_heap_calloc(heap, n, 53), n * 53);
    keep(mi_heap_realloc(heap, mi_malloc(5), n * 59), n * 59);
    keep(mi_heap_strdup(heap, "abc"), 4);
    mi_free_size(mi_malloc(n), n);
    mi_free_aligned(mi_malloc_aligned(n, 64), 64);
    keep(mi_realloc(mi_malloc(n), 0), 0);
}
#endif

int main(void)
{
    for (size_t n = 1; n < 100; n++) {
        if (n == 50) {
            memtrace_mark("before");
            kept_bytes = kept_blocks = 0;
        }
        common(n);
#ifdef TCMALLOC
        alone(n);
#endif
#ifdef MIMALLOC
        static struct heap *heap;
        heap = heap ? heap : mi_heap_new();
        alone(heap, n);
#endif
    }
    memtrace_mark("after");
    printf("%zu %u %u\n", kept_bytes, kept_blocks, wrong);
    return 5;
}
