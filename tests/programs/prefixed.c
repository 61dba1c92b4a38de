/*
 * An extension with an allocator inside: what a program loads with dlopen, linked
 * with -DNAME(x)=je_##x and a jemalloc of that prefix, or mi_##x and mimalloc.
 * `keep` keeps a block from each door and says how many bytes they are.
 */
#include <stddef.h>

void *NAME(malloc)(size_t);
void *NAME(calloc)(size_t, size_t);
void *NAME(realloc)(void *, size_t);
int NAME(posix_memalign)(void **, size_t, size_t);
void NAME(free)(void *);
#ifdef JEMALLOC
void *NAME(mallocx)(size_t, int);
void *NAME(rallocx)(void *, size_t, int);
void NAME(dallocx)(void *, int);
void NAME(sdallocx)(void *, size_t, int);
#endif

size_t keep(size_t n)
{
    void *block = NULL;
    if (!NAME(malloc)(n) || !NAME(calloc)(n, 3) || NAME(posix_memalign)(&block, 64, n * 5) ||
        !NAME(realloc)(NAME(malloc)(n), n * 7)) {
        return 0;
    }
    NAME(free)(NAME(malloc)(n * 100));
#ifdef JEMALLOC
    NAME(mallocx)(n * 11, 0);
    NAME(rallocx)(NAME(mallocx)(n, 0), n * 13, 0);
    NAME(dallocx)(NAME(mallocx)(n, 0), 0);
    NAME(sdallocx)(NAME(mallocx)(n, 0), n, 0);
    n *= 1 + 3 + 5 + 7 + 11 + 13;
#else
    n *= 1 + 3 + 5 + 7;
#endif
    return n;
}
