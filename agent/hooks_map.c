/*
 * mmap, munmap and mremap, interposed.  In the host.  What the C library and
 * the loader map for themselves does not pass here.
 */
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/types.h>

#include "elfsym.h"
#include "hooks.h"
#include "nested.h"
#include "python.h"
#include "sampled.h"
#include "trace.h"

#define EXPORT __attribute__((visibility("default")))

EXPORT void *mmap(void *, size_t, int, int, int, off_t);
EXPORT void *mmap64(void *, size_t, int, int, int, off64_t);
EXPORT int munmap(void *, size_t);
EXPORT void *mremap(void *, size_t, size_t, int, ...);

static struct {
    void *(*mmap)(void *, size_t, int, int, int, off64_t);
    int (*munmap)(void *, size_t);
    void *(*mremap)(void *, size_t, size_t, int, ...);
} next;

void hooks_map_resolve(void)
{
    next.mmap = (void *(*)(void *, size_t, int, int, int, off64_t))elfsym_next("mmap64");
    next.munmap = (int (*)(void *, size_t))elfsym_next("munmap");
    next.mremap = (void *(*)(void *, size_t, size_t, int, ...))elfsym_next("mremap");
}

static inline enum entry enter(struct nested *outer, const void *caller)
{
    if (__builtin_expect(!next.mmap, 0)) {
        hooks_start();
    }
    enum entry entry = nested_or_outermost(outer, caller);
    if (entry == ENTRY_OUTERMOST && session.sample_bytes && nested_is_real(caller)) {
        trace_leave(); /* what is no sample reaches the real allocator without a guard */
        return ENTRY_NONE;
    }
    if (entry == ENTRY_OUTERMOST && session.sample_bytes) {
        sampled_note_end();
    }
    if (__builtin_expect(entry == ENTRY_NESTED, 0) && outer->below == BELOW_MOVE &&
        python_calls((uintptr_t)caller)) {
        nested_leave(outer); /* the allocator's own: tracemalloc maps nothing */
        return ENTRY_NONE;
    }
    return entry;
}

static enum mt_map_flags kind_of(int flags)
{
    return flags & MAP_ANONYMOUS ? MT_MAP_ANONYMOUS : MT_MAP_FILE;
}

static inline void *map(void *address, size_t size, int protection, int flags, int fd,
    off64_t offset, struct caller caller)
{
    struct nested outer;
    enum entry entry = enter(&outer, (const void *)caller.address);
    if (entry == ENTRY_NONE) {
        return next.mmap(address, size, protection, flags, fd, offset);
    }
    trace_below(BELOW_NATIVE);
    void *mapped = next.mmap(address, size, protection, flags, fd, offset);
    trace_below(BELOW_NOTHING);
    if (entry == ENTRY_OUTERMOST && python_calls(caller.address)) {
        python_hook(); /* mimalloc's, asked by no hook of ours: they were dropped */
    }
    if (mapped != MAP_FAILED) {
        trace_map(mapped, size, kind_of(flags), &caller);
    }
    nested_or_outermost_leave(entry, &outer);
    return mapped;
}

void *mmap64(void *address, size_t size, int protection, int flags, int fd, off64_t offset)
{
    return map(address, size, protection, flags, fd, offset, NATIVE_CALLER);
}

void *mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset)
{
    return map(address, size, protection, flags, fd, offset, NATIVE_CALLER);
}

int munmap(void *address, size_t size)
{
    struct nested outer;
    enum entry entry = enter(&outer, __builtin_return_address(0));
    if (entry == ENTRY_NONE) {
        return next.munmap(address, size);
    }
    trace_unmap(address, size);
    trace_below(BELOW_NATIVE);
    int status = next.munmap(address, size);
    trace_below(BELOW_NOTHING);
    nested_or_outermost_leave(entry, &outer);
    return status;
}

/* A failed mremap leaves the old map as it was: it is unmapped in the trace and mapped again,
   with what is known here of its kind. */
void *mremap(void *old, size_t old_size, size_t new_size, int flags, ...)
{
    void *wanted = NULL;
    if (flags & MREMAP_FIXED) {
        va_list more;
        va_start(more, flags);
        wanted = va_arg(more, void *);
        va_end(more);
    }
    struct caller caller = NATIVE_CALLER;
    struct nested outer;
    enum entry entry = enter(&outer, (const void *)caller.address);
    if (entry == ENTRY_NONE) {
        return next.mremap(old, old_size, new_size, flags, wanted);
    }
    trace_unmap(old, old_size);
    trace_below(BELOW_NATIVE);
    void *mapped = next.mremap(old, old_size, new_size, flags, wanted);
    trace_below(BELOW_NOTHING);
    int failed = mapped == MAP_FAILED;
    trace_map(failed ? old : mapped, failed ? old_size : new_size, MT_MAP_ANONYMOUS, &caller);
    nested_or_outermost_leave(entry, &outer);
    return mapped;
}
