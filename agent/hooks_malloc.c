/*
 * The malloc family, interposed.  In the host, in every call, also before its
 * constructors and after its destructors.
 *
 * The real functions are those of the next object that has them: the C
 * library's or an allocator preloaded behind us.  A program that defines malloc
 * itself stands before us, and only what it asks the next one for is seen.
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include "elfsym.h"
#include "fast.h"
#include "hooks.h"
#include "late.h"
#include "nested.h"
#include "python.h"
#include "sampled_malloc.h"
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

static struct real_malloc next; /* in a session that samples without malloc */

/* The program's own, which stand before ours; NULL where it has none. */
static struct {
    void *(*realloc)(void *, size_t);
    void (*free)(void *);
} programs;

static void *of_the_program(const char *name)
{
    void *first = elfsym_find(name);
    return first == elfsym_next(name) ? NULL : first;
}

bool hooks_malloc_is_first(void)
{
    return !of_the_program("malloc");
}

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
    programs.realloc = (void *(*)(void *, size_t))of_the_program("realloc");
    programs.free = (void (*)(void *))of_the_program("free");
    next.malloc = (void *(*)(size_t))elfsym_next("malloc");
    nested_setup((const void *)next.malloc);
}

void hooks_malloc_sample(void)
{
    sampled_malloc_start(&next);
    next.malloc = NULL;
}

/* The first call sets everything up; in a session that samples others stand in for our hooks.  Both
   are called, with our callers as theirs, while there is no next.malloc. */
#define OTHERWISE(result, name, parameters, arguments)                                             \
    static __attribute__((noinline)) result name##_first parameters                                \
    {                                                                                              \
        hooks_start();                                                                             \
        return name arguments;                                                                     \
    }                                                                                              \
    static inline result name##_otherwise parameters                                               \
    {                                                                                              \
        if (__builtin_expect(!session.sample_bytes, 0)) {                                          \
            return name##_first arguments;                                                         \
        }                                                                                          \
        return sampled_##name arguments;                                                           \
    }

OTHERWISE(void *, malloc, (size_t size), (size))
OTHERWISE(void *, calloc, (size_t count, size_t size), (count, size))
OTHERWISE(void *, realloc, (void *old, size_t size), (old, size))
OTHERWISE(void, free, (void *address), (address))
OTHERWISE(int, posix_memalign, (void **out, size_t alignment, size_t size), (out, alignment, size))
OTHERWISE(void *, aligned_alloc, (size_t alignment, size_t size), (alignment, size))
OTHERWISE(void *, memalign, (size_t alignment, size_t size), (alignment, size))
OTHERWISE(void *, valloc, (size_t size), (size))
OTHERWISE(void *, pvalloc, (size_t size), (size))

static inline bool is_ready(void)
{
    return __builtin_expect(next.malloc != NULL, 1);
}

static inline enum entry enter(struct nested *outer, struct caller caller)
{
    late_allocated(caller);
    return nested_or_outermost(outer, (const void *)caller.address);
}

/* What the call of a real function is put between. */
static inline void begin(void)
{
    trace_below(BELOW_NATIVE);
}

static inline void *end(
    void *address, size_t size, struct caller caller, enum entry entry, const struct nested *outer)
{
    trace_below(BELOW_NOTHING);
    trace_native_alloc(address, size, caller);
    nested_or_outermost_leave(entry, outer);
    return address;
}

/* The interpreter reaches malloc through our hooks; where it does not, they may be gone. */
static inline bool comes_from_python(enum entry entry, struct caller caller)
{
    return entry == ENTRY_OUTERMOST && __builtin_expect(python_calls(caller.address), 0);
}

static __attribute__((noinline)) void look_for_hooks(const void *address)
{
    if (python_hook()) {
        python_note_unhooked(address);
    }
}

/* An event as nearly all are (fast.h): the interpreter's own calls are looked at more closely, and
   every one while an interpreter may still come. */
FAST bool is_plain(struct caller caller)
{
    return fast_may_enter() && __builtin_expect(!python_calls(caller.address), 1) &&
           __builtin_expect(late_is_over(), 1);
}

/* The interpreter's allocator calls on, below one of our hooks: as nested_enter would say. */
FAST bool is_interpreters_own(struct caller caller)
{
    return thread_self.below == BELOW_PYTHON &&
           (python_calls(caller.address) || nested_is_agents(caller.address)) && late_is_over();
}

static __attribute__((noinline)) void *allocate(size_t size, struct caller caller)
{
    struct nested outer;
    if (is_interpreters_own(caller)) {
        return next.malloc(size);
    }
    enum entry entry = enter(&outer, caller);
    if (entry == ENTRY_NONE) {
        return next.malloc(size);
    }
    begin();
    void *address = next.malloc(size);
    if (comes_from_python(entry, caller)) {
        look_for_hooks(address);
    }
    return end(address, size, caller, entry, &outer);
}

void *malloc(size_t size)
{
    if (!is_ready()) {
        return malloc_otherwise(size);
    }
    struct caller caller = NATIVE_CALLER;
    if (!is_plain(caller)) {
        return allocate(size, caller);
    }
    fast_below(BELOW_NATIVE);
    void *address = next.malloc(size);
    fast_record();
    if (!fast_native_alloc(address, size, caller)) {
        if (RARELY(python.may_drop)) {
            python_hook_early();
        }
        trace_native_alloc(address, size, caller);
    }
    fast_leave();
    return address;
}

static __attribute__((noinline)) void *allocate_zeroed(
    size_t count, size_t size, struct caller caller)
{
    struct nested outer;
    if (is_interpreters_own(caller)) {
        return next.calloc(count, size);
    }
    enum entry entry = enter(&outer, caller);
    if (entry == ENTRY_NONE) {
        return next.calloc(count, size);
    }
    begin();
    void *address = next.calloc(count, size);
    if (comes_from_python(entry, caller)) {
        look_for_hooks(address);
    }
    return end(address, count * size, caller, entry, &outer);
}

void *calloc(size_t count, size_t size)
{
    if (!is_ready()) {
        return calloc_otherwise(count, size);
    }
    struct caller caller = NATIVE_CALLER;
    if (!is_plain(caller)) {
        return allocate_zeroed(count, size, caller);
    }
    fast_below(BELOW_NATIVE);
    void *address = next.calloc(count, size);
    fast_record();
    if (!fast_native_alloc(address, count * size, caller)) {
        trace_native_alloc(address, count * size, caller);
    }
    fast_leave();
    return address;
}

/* The block as the trace knows it. */
static inline const void *recorded_as(const void *address, enum entry entry, struct caller caller)
{
    return comes_from_python(entry, caller) ? python_recorded_as(address) : address;
}

/* A nested call on the very block that a hook of the interpreter is freeing or moving. */
static inline bool is_allocators_own(
    const void *address, enum entry entry, const struct nested *outer)
{
    return __builtin_expect(entry == ENTRY_NESTED, 0) && outer->below == BELOW_MOVE &&
           nested_is_same(address);
}

static inline void *move(
    void *old, size_t size, struct caller caller, enum entry entry, const struct nested *outer)
{
    if (old && is_allocators_own(old, entry, outer)) {
        void *moved = next.realloc(old, size);
        nested_leave(outer);
        return moved;
    }
    const void *recorded = old ? recorded_as(old, entry, caller) : NULL;
    if (old && size == 0) { /* frees; some allocators return a block all the same */
        trace_free(recorded);
        begin();
        return end(next.realloc(old, 0), 0, caller, entry, outer);
    }
    trace_move_begin(recorded);
    begin();
    void *address = next.realloc(old, size);
    trace_below(BELOW_NOTHING);
    if (recorded != old) {
        python_note_unhooked(address);
    }
    trace_native_move_end(recorded, address, size, caller);
    nested_or_outermost_leave(entry, outer);
    return address;
}

static __attribute__((noinline)) void *reallocate(void *old, size_t size, struct caller caller)
{
    struct nested outer;
    if (is_interpreters_own(caller)) {
        return next.realloc(old, size);
    }
    enum entry entry = enter(&outer, caller);
    return entry == ENTRY_NONE ? next.realloc(old, size) : move(old, size, caller, entry, &outer);
}

void *realloc(void *old, size_t size)
{
    if (!is_ready()) {
        return realloc_otherwise(old, size);
    }
    struct caller caller = NATIVE_CALLER;
    if (!is_plain(caller) || !size) {
        return reallocate(old, size, caller);
    }
    fast_record();
    if (!fast_move_begin(old)) {
        trace_move_begin(old);
    }
    fast_below(BELOW_NATIVE);
    void *address = next.realloc(old, size);
    fast_record();
    if (!fast_native_move_end(old, address, size, caller)) {
        trace_native_move_end(old, address, size, caller);
    }
    fast_leave();
    return address;
}

void *reallocarray(void *old, size_t count, size_t size)
{
    struct caller caller = NATIVE_CALLER;
    struct nested outer;
    size_t total;
    if (__builtin_mul_overflow(count, size, &total)) {
        errno = ENOMEM;
        return NULL;
    }
    if (!is_ready() && !session.sample_bytes) {
        hooks_start();
    }
    if (programs.realloc) { /* the C library's asks the one that comes first */
        return programs.realloc(old, total);
    }
    if (session.sample_bytes) {
        return sampled_realloc(old, total);
    }
    enum entry entry = enter(&outer, caller);
    return entry == ENTRY_NONE ? next.realloc(old, total) : move(old, total, caller, entry, &outer);
}

static __attribute__((noinline)) void slow_release(void *address, struct caller caller)
{
    struct nested outer;
    if (is_interpreters_own(caller)) {
        next.free(address);
        return;
    }
    enum entry entry = address ? enter(&outer, caller) : ENTRY_NONE;
    if (entry == ENTRY_NONE) {
        if (address) {
            next.free(address);
        }
        return;
    }
    if (!is_allocators_own(address, entry, &outer)) {
        trace_free(recorded_as(address, entry, caller));
    }
    begin();
    next.free(address);
    trace_below(BELOW_NOTHING);
    nested_or_outermost_leave(entry, &outer);
    late_freed(caller);
}

FAST void release(void *address, struct caller caller)
{
    native_note_free(caller);
    if (__builtin_expect(!address, 0) || !is_plain(caller)) {
        slow_release(address, caller);
        return;
    }
    fast_record();
    if (!fast_free(address)) {
        trace_free(address);
    }
    fast_below(BELOW_NATIVE);
    next.free(address);
    fast_leave();
}

void free(void *address)
{
    if (!is_ready()) {
        free_otherwise(address);
        return;
    }
    release(address, NATIVE_CALLER);
}

/* Other names for free: the C library's, where it has them, call the one that comes first. */
static inline void release_first(void *address, struct caller caller)
{
    if (!is_ready() && !session.sample_bytes) {
        hooks_start();
    }
    if (programs.free) {
        programs.free(address);
    } else if (session.sample_bytes) {
        sampled_free(address);
    } else {
        release(address, caller);
    }
}

void cfree(void *address)
{
    release_first(address, NATIVE_CALLER);
}

void free_sized(void *address, size_t size)
{
    release_first(address, NATIVE_CALLER);
}

void free_aligned_sized(void *address, size_t alignment, size_t size)
{
    release_first(address, NATIVE_CALLER);
}

int posix_memalign(void **out, size_t alignment, size_t size)
{
    if (!is_ready()) {
        return posix_memalign_otherwise(out, alignment, size);
    }
    struct caller caller = NATIVE_CALLER;
    struct nested outer;
    enum entry entry = enter(&outer, caller);
    if (entry == ENTRY_NONE) {
        return next.posix_memalign(out, alignment, size);
    }
    begin();
    int status = next.posix_memalign(out, alignment, size);
    end(status == 0 ? *out : NULL, size, caller, entry, &outer);
    return status;
}

void *aligned_alloc(size_t alignment, size_t size)
{
    if (!is_ready()) {
        return aligned_alloc_otherwise(alignment, size);
    }
    struct caller caller = NATIVE_CALLER;
    struct nested outer;
    enum entry entry = enter(&outer, caller);
    if (entry == ENTRY_NONE) {
        return next.aligned_alloc(alignment, size);
    }
    begin();
    return end(next.aligned_alloc(alignment, size), size, caller, entry, &outer);
}

void *memalign(size_t alignment, size_t size)
{
    if (!is_ready()) {
        return memalign_otherwise(alignment, size);
    }
    struct caller caller = NATIVE_CALLER;
    struct nested outer;
    enum entry entry = enter(&outer, caller);
    if (entry == ENTRY_NONE) {
        return next.memalign(alignment, size);
    }
    begin();
    return end(next.memalign(alignment, size), size, caller, entry, &outer);
}

void *valloc(size_t size)
{
    if (!is_ready()) {
        return valloc_otherwise(size);
    }
    struct caller caller = NATIVE_CALLER;
    struct nested outer;
    enum entry entry = enter(&outer, caller);
    if (entry == ENTRY_NONE) {
        return next.valloc(size);
    }
    begin();
    return end(next.valloc(size), size, caller, entry, &outer);
}

void *pvalloc(size_t size)
{
    if (!is_ready()) {
        return pvalloc_otherwise(size);
    }
    struct caller caller = NATIVE_CALLER;
    struct nested outer;
    enum entry entry = enter(&outer, caller);
    if (entry == ENTRY_NONE) {
        return next.pvalloc(size);
    }
    begin();
    return end(next.pvalloc(size), size, caller, entry, &outer);
}
