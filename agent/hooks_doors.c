/*
 * Functions that allocators have beside the malloc family: C++'s operator new
 * and delete, jemalloc's mallocx.  In the host, in every call.
 *
 * jemalloc, tcmalloc and mimalloc do not come from operator new to malloc, as
 * libstdc++ does.  Only theirs are stood before, and only that of the allocator
 * whose malloc is behind ours (rebind.h).
 *
 * operator new may throw, through us: so the real one that does is never called
 * while a hook is under way, but after the one that does not has failed.  That
 * one must not call the program's handler, which may throw as well: if there is
 * a handler, or nobody knows, the real one is called outside of the hook, and
 * what the allocator itself maps meanwhile counts as mapped.
 */
#include <stddef.h>
#include <stdint.h>

#include "doors.h"
#include "elfsym.h"
#include "hooks.h"
#include "late.h"
#include "nested.h"
#include "rebind.h"
#include "sampled.h"
#include "trace.h"

static struct {
    new_plain *new, *new_array;
    new_calm *new_nothrow, *new_array_nothrow;
    new_aligned *new_aligned, *new_array_aligned;
    new_aligned_calm *new_aligned_nothrow, *new_array_aligned_nothrow;
    real_delete *delete, *delete_sized, *delete_nothrow, *delete_aligned, *delete_sized_aligned,
        *delete_aligned_nothrow;
    real_delete *delete_array, *delete_array_sized, *delete_array_nothrow, *delete_array_aligned,
        *delete_array_sized_aligned, *delete_array_aligned_nothrow;
    void *(*mallocx)(size_t, int);
    void *(*rallocx)(void *, size_t, int);
    size_t (*xallocx)(void *, size_t, size_t, int);
    void (*dallocx)(void *, int);
    void (*sdallocx)(void *, size_t, int);
} next;

/* ---- objects with an allocator inside ---- */

#define OWN_MAX 16

static struct {
    uintptr_t start, end;
} own[OWN_MAX];
static _Atomic uint32_t n_own;

void doors_own(const void *function)
{
    uintptr_t start, end;
    uint32_t n = atomic_load(&n_own);
    if (n < OWN_MAX && elfsym_text(function, &start, &end)) {
        own[n].start = start;
        own[n].end = end;
        atomic_store(&n_own, n + 1);
    }
}

static bool is_internal(uintptr_t address)
{
    for (uint32_t i = 0, n = atomic_load(&n_own); i < n; i++) {
        if (address - own[i].start < own[i].end - own[i].start) {
            return true;
        }
    }
    return false;
}

static enum entry begin(struct nested *outer, struct caller caller)
{
    if (thread_self.depth && is_internal(caller.address)) {
        return ENTRY_NONE;
    }
    return nested_or_outermost(outer, (const void *)caller.address);
}

enum entry doors_begin(struct nested *outer, struct caller caller)
{
    late_allocated(caller);
    enum entry entry = begin(outer, caller);
    if (entry != ENTRY_NONE) {
        trace_below(BELOW_NATIVE);
    }
    return entry;
}

void *doors_end(
    void *block, size_t size, struct caller caller, enum entry entry, const struct nested *outer)
{
    trace_below(BELOW_NOTHING);
    if (!session.sample_bytes || (sampled_is_hit(size) && block && sampled_keep(block))) {
        trace_native_alloc(block, size, caller);
    }
    nested_or_outermost_leave(entry, outer);
    return block;
}

void *doors_note(void *block, size_t size, struct caller caller)
{
    struct nested outer;
    enum entry entry = doors_begin(&outer, caller);
    return entry == ENTRY_NONE ? block : doors_end(block, size, caller, entry, &outer);
}

/* Before the real delete; what must be called after it. */
enum entry doors_begin_delete(struct nested *outer, const void *block, struct caller caller)
{
    enum entry entry = block ? begin(outer, caller) : ENTRY_NONE;
    if (entry != ENTRY_NONE) {
        if (!session.sample_bytes || sample_take(block)) {
            trace_free(block);
        }
        trace_below(BELOW_NATIVE);
    }
    return entry;
}

void doors_end_delete(enum entry entry, const struct nested *outer)
{
    if (entry != ENTRY_NONE) {
        trace_below(BELOW_NOTHING);
        nested_or_outermost_leave(entry, outer);
    }
}

/* ---- operator new ---- */

static const char nothrow; /* std::nothrow has no content */
static void *(*get_new_handler)(void);

static bool may_try_calmly(bool has_calm)
{
    return has_calm && get_new_handler && !get_new_handler();
}

void *doors_new(new_plain *real, new_calm *calm, size_t size, struct caller caller)
{
    struct nested outer;
    enum entry entry = may_try_calmly(calm != NULL) ? doors_begin(&outer, caller) : ENTRY_NONE;
    void *block =
        entry == ENTRY_NONE ? NULL : doors_end(calm(size, &nothrow), size, caller, entry, &outer);
    return block ? block : doors_note(real(size), size, caller);
}

void *doors_new_calm(new_calm *real, size_t size, const void *tag, struct caller caller)
{
    struct nested outer;
    enum entry entry = doors_begin(&outer, caller);
    void *block = real(size, tag);
    return entry == ENTRY_NONE ? block : doors_end(block, size, caller, entry, &outer);
}

void *doors_new_aligned(
    new_aligned *real, new_aligned_calm *calm, size_t size, size_t alignment, struct caller caller)
{
    struct nested outer;
    enum entry entry = may_try_calmly(calm != NULL) ? doors_begin(&outer, caller) : ENTRY_NONE;
    void *block = entry == ENTRY_NONE
                      ? NULL
                      : doors_end(calm(size, alignment, &nothrow), size, caller, entry, &outer);
    return block ? block : doors_note(real(size, alignment), size, caller);
}

void *doors_new_aligned_calm(
    new_aligned_calm *real, size_t size, size_t alignment, const void *tag, struct caller caller)
{
    struct nested outer;
    enum entry entry = doors_begin(&outer, caller);
    void *block = real(size, alignment, tag);
    return entry == ENTRY_NONE ? block : doors_end(block, size, caller, entry, &outer);
}

DOORS_NEW(new)
DOORS_NEW(new_array)

DOORS_DELETE(delete)
DOORS_DELETE(delete_sized)
DOORS_DELETE(delete_nothrow)
DOORS_DELETE(delete_aligned)
DOORS_DELETE(delete_sized_aligned)
DOORS_DELETE(delete_aligned_nothrow)
DOORS_DELETE(delete_array)
DOORS_DELETE(delete_array_sized)
DOORS_DELETE(delete_array_nothrow)
DOORS_DELETE(delete_array_aligned)
DOORS_DELETE(delete_array_sized_aligned)
DOORS_DELETE(delete_array_aligned_nothrow)

/* ---- jemalloc's own ---- */

static void *hook_mallocx(size_t size, int flags)
{
    struct caller caller = NATIVE_CALLER;
    struct nested outer;
    enum entry entry = doors_begin(&outer, caller);
    void *block = next.mallocx(size, flags);
    return entry == ENTRY_NONE ? block : doors_end(block, size, caller, entry, &outer);
}

/* *known: the block is in the accounts. */
enum entry doors_begin_move(
    struct nested *outer, const void *block, bool *known, struct caller caller)
{
    late_allocated(caller);
    enum entry entry = begin(outer, caller);
    if (entry != ENTRY_NONE) {
        *known = !session.sample_bytes || sample_take(block);
        trace_move_begin(*known ? block : NULL);
        trace_below(BELOW_NATIVE);
    }
    return entry;
}

void doors_end_move(const void *old, bool known, const void *block, size_t size,
    struct caller caller, enum entry entry, const struct nested *outer)
{
    if (entry != ENTRY_NONE) {
        trace_below(BELOW_NOTHING);
        if (!session.sample_bytes || sampled_move(old, known, block, sampled_is_hit(size))) {
            trace_native_move_end(known ? old : NULL, block, size, caller);
        }
        nested_or_outermost_leave(entry, outer);
    }
}

static void *hook_rallocx(void *old, size_t size, int flags)
{
    struct caller caller = NATIVE_CALLER;
    struct nested outer;
    bool known = false;
    enum entry entry = doors_begin_move(&outer, old, &known, caller);
    void *block = next.rallocx(old, size, flags);
    doors_end_move(old, known, block, size, caller, entry, &outer);
    return block;
}

/* In place: returns what the block has now, which is less than `size` if it could not grow. */
static size_t hook_xallocx(void *block, size_t size, size_t extra, int flags)
{
    struct caller caller = NATIVE_CALLER;
    struct nested outer;
    bool known = false;
    enum entry entry = doors_begin_move(&outer, block, &known, caller);
    size_t now = next.xallocx(block, size, extra, flags);
    doors_end_move(block, known, now >= size ? block : NULL, size, caller, entry, &outer);
    return now;
}

static void hook_dallocx(void *block, int flags)
{
    struct nested outer;
    enum entry entry = doors_begin_delete(&outer, block, NATIVE_CALLER);
    next.dallocx(block, flags);
    doors_end_delete(entry, &outer);
}

static void hook_sdallocx(void *block, size_t size, int flags)
{
    struct nested outer;
    enum entry entry = doors_begin_delete(&outer, block, NATIVE_CALLER);
    next.sdallocx(block, size, flags);
    doors_end_delete(entry, &outer);
}

/* ---- */

#define DOOR(name, function)                                                                       \
    {                                                                                              \
        name, (void *)hook_##function, (void **)&next.function                                     \
    }

static const struct rebind doors[] = {
    DOOR("_Znwm", new),
    DOOR("_ZnwmRKSt9nothrow_t", new_nothrow),
    DOOR("_ZnwmSt11align_val_t", new_aligned),
    DOOR("_ZnwmSt11align_val_tRKSt9nothrow_t", new_aligned_nothrow),
    DOOR("_Znam", new_array),
    DOOR("_ZnamRKSt9nothrow_t", new_array_nothrow),
    DOOR("_ZnamSt11align_val_t", new_array_aligned),
    DOOR("_ZnamSt11align_val_tRKSt9nothrow_t", new_array_aligned_nothrow),
    DOOR("_ZdlPv", delete),
    DOOR("_ZdlPvm", delete_sized),
    DOOR("_ZdlPvRKSt9nothrow_t", delete_nothrow),
    DOOR("_ZdlPvSt11align_val_t", delete_aligned),
    DOOR("_ZdlPvmSt11align_val_t", delete_sized_aligned),
    DOOR("_ZdlPvSt11align_val_tRKSt9nothrow_t", delete_aligned_nothrow),
    DOOR("_ZdaPv", delete_array),
    DOOR("_ZdaPvm", delete_array_sized),
    DOOR("_ZdaPvRKSt9nothrow_t", delete_array_nothrow),
    DOOR("_ZdaPvSt11align_val_t", delete_array_aligned),
    DOOR("_ZdaPvmSt11align_val_t", delete_array_sized_aligned),
    DOOR("_ZdaPvSt11align_val_tRKSt9nothrow_t", delete_array_aligned_nothrow),
    DOOR("mallocx", mallocx),
    DOOR("rallocx", rallocx),
    DOOR("xallocx", xallocx),
    DOOR("dallocx", dallocx),
    DOOR("sdallocx", sdallocx),
};

void hooks_doors_resolve(void)
{
    const void *allocator = elfsym_next("malloc");
    if (allocator) { /* the C library has none of these, and is soon looked through */
        get_new_handler = (void *(*)(void))elfsym_find("_ZSt15get_new_handlerv");
        rebind(doors, sizeof(doors) / sizeof(doors[0]), allocator, false);
        hooks_named_resolve(allocator, false);
        hooks_new_resolve(allocator, false);
    }
}
