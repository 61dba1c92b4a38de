/*
 * mmap, munmap, mremap, brk and sbrk, interposed.  In the host.  What the C library
 * and the loader map for themselves does not pass here.
 */
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
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
EXPORT int brk(void *);
EXPORT void *sbrk(intptr_t);

#define PAGE ((uintptr_t)4096)
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

static struct {
    void *(*mmap)(void *, size_t, int, int, int, off64_t);
    int (*munmap)(void *, size_t);
    void *(*mremap)(void *, size_t, size_t, int, ...);
    int (*brk)(void *);
    void *(*sbrk)(intptr_t);
} next;

void hooks_map_resolve(void)
{
    next.mmap = (void *(*)(void *, size_t, int, int, int, off64_t))elfsym_next("mmap64");
    next.munmap = (int (*)(void *, size_t))elfsym_next("munmap");
    next.mremap = (void *(*)(void *, size_t, size_t, int, ...))elfsym_next("mremap");
    next.brk = (int (*)(void *))elfsym_next("brk");
    next.sbrk = (void *(*)(intptr_t))elfsym_next("sbrk");
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
    if ((uintptr_t)address % PAGE == 0) { /* else it fails */
        trace_unmap(address, size, 0);
    }
    trace_below(BELOW_NATIVE);
    int status = next.munmap(address, size);
    trace_below(BELOW_NOTHING);
    nested_or_outermost_leave(entry, &outer);
    return status;
}

/* What becomes of the old map: nobody else gets its addresses while it stays or grows where it is,
   so that this can be said when it has worked. */
enum fate { FATE_STAYS, FATE_GROWS, FATE_GOES };

static enum fate fate_of(size_t old_size, size_t new_size, int flags)
{
    if (flags & MREMAP_DONTUNMAP) {
        return FATE_STAYS;
    }
    return !(flags & MREMAP_MAYMOVE) && new_size >= old_size ? FATE_GROWS : FATE_GOES;
}

static void note_move(void *old, size_t old_size, void *mapped, size_t new_size, enum fate fate,
    const struct caller *caller)
{
    if (mapped != MAP_FAILED) {
        if (fate == FATE_GROWS) {
            trace_unmap(old, old_size, MT_MAP_MOVED);
        }
        trace_map(mapped, new_size, fate == FATE_STAYS ? MT_MAP_ANONYMOUS : MT_MAP_MOVED, caller);
    } else if (fate == FATE_GOES) {
        trace_map(old, old_size, MT_MAP_BACK, caller);
    }
}

void *mremap(void *old, size_t old_size, size_t new_size, int flags, ...)
{
    void *wanted = NULL;
    if (flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) {
        va_list more;
        va_start(more, flags);
        wanted = va_arg(more, void *);
        va_end(more);
    }
    struct caller caller = NATIVE_CALLER;
    enum fate fate = fate_of(old_size, new_size, flags);
    struct nested outer;
    enum entry entry = enter(&outer, (const void *)caller.address);
    if (entry == ENTRY_NONE) {
        return next.mremap(old, old_size, new_size, flags, wanted);
    }
    if (fate == FATE_GOES) {
        trace_unmap(old, old_size, MT_MAP_MOVED);
    }
    trace_below(BELOW_NATIVE);
    void *mapped = next.mremap(old, old_size, new_size, flags, wanted);
    trace_below(BELOW_NOTHING);
    note_move(old, old_size, mapped, new_size, fate, &caller);
    nested_or_outermost_leave(entry, &outer);
    return mapped;
}

/* ---- the end of the data segment ---- */

static uintptr_t first_page_behind(const void *end)
{
    return ((uintptr_t)end + PAGE - 1) & ~(PAGE - 1);
}

/* Whole pages, as of maps.  What was asked for says nothing: the C library takes it for done where
   the kernel says where the end is now, also if it did nothing. */
static void note_break(const void *old, const struct caller *caller)
{
    uintptr_t from = first_page_behind(old), to = first_page_behind(next.sbrk(0));
    if (to > from) {
        trace_map((void *)from, to - from, MT_MAP_ANONYMOUS, caller);
    } else if (to < from) {
        trace_unmap((void *)to, from - to, 0);
    }
}

int brk(void *end)
{
    struct caller caller = NATIVE_CALLER;
    struct nested outer;
    enum entry entry = enter(&outer, (const void *)caller.address);
    if (entry == ENTRY_NONE) {
        return next.brk(end);
    }
    const void *old = next.sbrk(0);
    int status = next.brk(end);
    note_break(old, &caller);
    nested_or_outermost_leave(entry, &outer);
    return status;
}

void *sbrk(intptr_t by)
{
    struct caller caller = NATIVE_CALLER;
    struct nested outer;
    enum entry entry = enter(&outer, (const void *)caller.address);
    if (entry == ENTRY_NONE) {
        return next.sbrk(by);
    }
    void *old = next.sbrk(by);
    if (old != (void *)-1) {
        note_break(old, &caller);
    }
    nested_or_outermost_leave(entry, &outer);
    return old;
}
