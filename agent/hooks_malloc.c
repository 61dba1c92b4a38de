/*
 * The malloc family, interposed.  In the host, in every call, also before its
 * constructors and after its destructors.
 *
 * The real functions are those of the next object that has them: the C
 * library's or an allocator preloaded behind us.
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include "elfsym.h"
#include "hooks.h"
#include "python.h"
#include "trace.h"

#define EXPORT __attribute__((visibility("default")))

EXPORT void *malloc(size_t size);
EXPORT void *calloc(size_t count, size_t size);
EXPORT void *realloc(void *old, size_t size);
EXPORT void *reallocarray(void *old, size_t count, size_t size);
EXPORT void free(void *address);
EXPORT void cfree(void *address);
EXPORT void free_sized(void *address, size_t size);
EXPORT void free_aligned_sized(void *address, size_t alignment, size_t size);
EXPORT int posix_memalign(void **out, size_t alignment, size_t size);
EXPORT void *aligned_alloc(size_t alignment, size_t size);
EXPORT void *memalign(size_t alignment, size_t size);
EXPORT void *valloc(size_t size);
EXPORT void *pvalloc(size_t size);

static struct {
    void *(*malloc)(size_t);
    void *(*calloc)(size_t, size_t);
    void *(*realloc)(void *, size_t);
    void (*free)(void *);
    int (*posix_memalign)(void **, size_t, size_t);
    void *(*aligned_alloc)(size_t, size_t);
    void *(*memalign)(size_t, size_t);
    void *(*valloc)(size_t);
    void *(*pvalloc)(size_t);
} next;

void hooks_malloc_resolve(void)
{
    next.calloc = (void *(*)(size_t, size_t))elfsym_next("calloc");
    next.realloc = (void *(*)(void *, size_t))elfsym_next("realloc");
    next.free = (void (*)(void *))elfsym_next("free");
    next.posix_memalign = (int (*)(void **, size_t, size_t))elfsym_next("posix_memalign");
    next.aligned_alloc = (void *(*)(size_t, size_t))elfsym_next("aligned_alloc");
    next.memalign = (void *(*)(size_t, size_t))elfsym_next("memalign");
    next.valloc = (void *(*)(size_t))elfsym_next("valloc");
    next.pvalloc = (void *(*)(size_t))elfsym_next("pvalloc");
    next.malloc = (void *(*)(size_t))elfsym_next("malloc");
}

/* True if the call is to be recorded; the first one sets everything up. */
static inline bool enter(void)
{
    if (__builtin_expect(!next.malloc, 0)) {
        hooks_start();
    }
    if (!trace_enter()) {
        return false;
    }
    return true;
}

static inline void *leave(void *address, size_t size)
{
    trace_alloc(address, size, MT_DOMAIN_MALLOC);
    trace_leave();
    return address;
}

/* The interpreter reaches malloc through our hooks; where it does not, they may be gone. */
static inline bool comes_from_python(const void *caller)
{
    return __builtin_expect(
        (uintptr_t)caller - python.text_start < python.text_end - python.text_start, 0);
}

static void *unhooked(void *address, size_t size)
{
    if (python_hook()) {
        python_note_unhooked(address);
    }
    return leave(address, size);
}

void *malloc(size_t size)
{
    if (!enter()) {
        return next.malloc(size);
    }
    if (comes_from_python(__builtin_return_address(0))) {
        return unhooked(next.malloc(size), size);
    }
    return leave(next.malloc(size), size);
}

void *calloc(size_t count, size_t size)
{
    if (!enter()) {
        return next.calloc(count, size);
    }
    if (comes_from_python(__builtin_return_address(0))) {
        return unhooked(next.calloc(count, size), count * size);
    }
    return leave(next.calloc(count, size), count * size);
}

static inline void *move(void *old, size_t size)
{
    if (old && size == 0) { /* frees; some allocators return a block all the same */
        trace_free(old);
        return leave(next.realloc(old, 0), 0);
    }
    trace_move_begin(old);
    void *address = next.realloc(old, size);
    trace_move_end(old, address, size, MT_DOMAIN_MALLOC);
    trace_leave();
    return address;
}

void *realloc(void *old, size_t size)
{
    return enter() ? move(old, size) : next.realloc(old, size);
}

void *reallocarray(void *old, size_t count, size_t size)
{
    size_t total;
    bool traced = enter();
    if (__builtin_mul_overflow(count, size, &total)) {
        if (traced) {
            trace_leave();
        }
        errno = ENOMEM;
        return NULL;
    }
    return traced ? move(old, total) : next.realloc(old, total);
}

void free(void *address)
{
    if (!address || !enter()) {
        if (address) {
            next.free(address);
        }
        return;
    }
    trace_free(address);
    next.free(address);
    trace_leave();
}

void cfree(void *address)
{
    free(address);
}

void free_sized(void *address, size_t size)
{
    free(address);
}

void free_aligned_sized(void *address, size_t alignment, size_t size)
{
    free(address);
}

int posix_memalign(void **out, size_t alignment, size_t size)
{
    if (!enter()) {
        return next.posix_memalign(out, alignment, size);
    }
    int status = next.posix_memalign(out, alignment, size);
    leave(status == 0 ? *out : NULL, size);
    return status;
}

void *aligned_alloc(size_t alignment, size_t size)
{
    if (!enter()) {
        return next.aligned_alloc(alignment, size);
    }
    return leave(next.aligned_alloc(alignment, size), size);
}

void *memalign(size_t alignment, size_t size)
{
    if (!enter()) {
        return next.memalign(alignment, size);
    }
    return leave(next.memalign(alignment, size), size);
}

void *valloc(size_t size)
{
    if (!enter()) {
        return next.valloc(size);
    }
    return leave(next.valloc(size), size);
}

void *pvalloc(size_t size)
{
    if (!enter()) {
        return next.pvalloc(size);
    }
    return leave(next.pvalloc(size), size);
}
