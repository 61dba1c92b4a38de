/*
 * Blocks through every function of the malloc family, from several threads.
 * Prints how many bytes and blocks it kept between the marks "before" and
 * "after", and how often what it was given was not what it had asked for.
 *
 * -DFORWARDS: with a malloc of its own that asks the next one; -DPOOL: with one
 * that serves all from a pool.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "memtrace/memtrace.h"

#ifdef FORWARDS
void *malloc(size_t size)
{
    static void *(*next)(size_t);
    next = next ? next : (void *(*)(size_t))dlsym(RTLD_NEXT, "malloc");
    return next(size);
}
#endif

#ifdef POOL
#define POOL_SIZE (64u << 20)
static _Alignas(4096) unsigned char pool[POOL_SIZE];
static _Atomic size_t used = 16;

void *malloc(size_t size)
{
    size_t whole = (size + 31) / 16 * 16, at = atomic_fetch_add(&used, whole);
    if (at + whole > POOL_SIZE) {
        return NULL;
    }
    memcpy(pool + at, &size, sizeof(size));
    return pool + at + 16;
}

void *calloc(size_t count, size_t size)
{
    return malloc(count * size); /* the pool is used once */
}

static size_t size_of(void *block)
{
    size_t size;
    if ((unsigned char *)block < pool || (unsigned char *)block >= pool + POOL_SIZE) {
        static const char words[] = "not of the pool\n";
        _exit(write(1, words, sizeof(words) - 1) > 0 ? 3 : 4);
    }
    memcpy(&size, (unsigned char *)block - 16, sizeof(size));
    return size;
}

void *realloc(void *old, size_t size)
{
    void *anew = malloc(size);
    if (old && anew) {
        memcpy(anew, old, size_of(old) < size ? size_of(old) : size);
    }
    return anew;
}

void free(void *block)
{
    if (block) {
        size_of(block);
    }
}
#endif

static size_t kept_bytes;
static unsigned kept_blocks, wrong;

static void keep(void *block, size_t size, size_t alignment)
{
    if (!block || (uintptr_t)block % alignment) {
        wrong++;
        return;
    }
    memset(block, 1, size);
    kept_bytes += size;
    kept_blocks++;
}

static void aligned(size_t n)
{
#ifndef POOL
    void *block = NULL;
    wrong += posix_memalign(&block, 64, n * 3) != 0;
    keep(block, n * 3, 64);
    keep(aligned_alloc(64, n * 64), n * 64, 64);
    keep(memalign(256, n * 5), n * 5, 256);
    keep(valloc(n * 11), n * 11, 4096);
    wrong += posix_memalign(&block, 3, 1) == 0;
#endif
}

static void one_of_each(size_t n)
{
    keep(malloc(n * 7), n * 7, 8);
    keep(calloc(n, 13), n * 13, 8);
    keep(realloc(malloc(n), n * 100), n * 100, 8);
    keep(reallocarray(NULL, n, 10), n * 10, 8);
    keep(reallocarray(malloc(20), n, 12), n * 12, 8);
    keep(malloc(n * 4000), n * 4000, 8);
    aligned(n);
    wrong += reallocarray(NULL, SIZE_MAX / 2, 3) != NULL;
    free(malloc(n * 1000));
    free(realloc(malloc(8), n));
    free(NULL);
}

static pthread_barrier_t ready; /* what a thread itself takes is not between the marks */

static void *work(void *given)
{
    pthread_barrier_wait(&ready);
    for (size_t n = 0; n < 3000; n++) {
        free(realloc(malloc(n % 3000 + 1), n % 5000 + 1));
    }
    return malloc(4321);
}

int main(void)
{
    pthread_t threads[4];
    char line[100];
    pthread_barrier_init(&ready, NULL, 5);
    for (int i = 0; i < 4; i++) {
        wrong += pthread_create(&threads[i], NULL, work, NULL) != 0;
    }
    memtrace_mark("before");
    pthread_barrier_wait(&ready);
    for (size_t n = 1; n <= 100; n++) {
        one_of_each(n);
    }
    for (int i = 0; i < 4; i++) {
        void *block = NULL;
        pthread_join(threads[i], &block);
        keep(block, 4321, 8);
    }
    memtrace_mark("after");
    int length = snprintf(line, sizeof(line), "%zu %u %u\n", kept_bytes, kept_blocks, wrong);
    return write(1, line, (size_t)length) == length ? 5 : 6;
}
