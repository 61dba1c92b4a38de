/*
 * The malloc family in a session that samples.  Each is called in the place of
 * the function that it is named for, with the return address of its caller.
 */
#ifndef AGENT_SAMPLED_MALLOC_H
#define AGENT_SAMPLED_MALLOC_H

#include <stddef.h>

struct real_malloc { /* the functions that ours stand before */
    void *(*malloc)(size_t);
    void *(*calloc)(size_t, size_t);
    void *(*realloc)(void *, size_t);
    void (*free)(void *);
    int (*posix_memalign)(void **, size_t, size_t);
    void *(*aligned_alloc)(size_t, size_t);
    void *(*memalign)(size_t, size_t);
    void *(*valloc)(size_t);
    void *(*pvalloc)(size_t);
};

void sampled_malloc_start(const struct real_malloc *real);

void *sampled_malloc(size_t size);
void *sampled_calloc(size_t count, size_t size);
void *sampled_realloc(void *old, size_t size);
void sampled_free(void *address);
int sampled_posix_memalign(void **out, size_t alignment, size_t size);
void *sampled_aligned_alloc(size_t alignment, size_t size);
void *sampled_memalign(size_t alignment, size_t size);
void *sampled_valloc(size_t size);
void *sampled_pvalloc(size_t size);

#endif
