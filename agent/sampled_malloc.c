/*
 * The malloc family in a session that samples (sampled_malloc.h).  In the host,
 * in every call.
 *
 * What is no sample goes on to the real function at once, with nothing but a few
 * bytes less to the next sample.
 */
#include "sampled_malloc.h"

#include "late.h"
#include "native.h"
#include "python.h"
#include "sampled.h"

static struct real_malloc next;

void sampled_malloc_start(const struct real_malloc *real)
{
    next = *real;
}

/* All that make a block go one way. */
enum function { MALLOC, CALLOC, ALIGNED_ALLOC, MEMALIGN, VALLOC, PVALLOC };

/* `first`: the count, or the alignment. */
static inline void *forward(enum function function, size_t first, size_t size)
{
    switch (function) {
    case CALLOC:
        return next.calloc(first, size);
    case ALIGNED_ALLOC:
        return next.aligned_alloc(first, size);
    case MEMALIGN:
        return next.memalign(first, size);
    case VALLOC:
        return next.valloc(size);
    case PVALLOC:
        return next.pvalloc(size);
    default:
        return next.malloc(size);
    }
}

/* The interpreter reaches malloc through our hooks; where it does not, they may be gone. */
static void look_for_hooks(struct caller caller)
{
    if (python_calls(caller.address)) {
        python_hook();
    }
}

static __attribute__((noinline)) void *allocate(
    enum function function, size_t first, size_t size, struct caller caller)
{
    size_t bytes = function == CALLOC ? first * size : size;
    late_allocated(caller);
    if (!sampled_is_outermost() || !sample_draw(bytes) || !trace_enter()) {
        return forward(function, first, size);
    }
    sampled_note_end();
    trace_below(BELOW_NATIVE);
    void *address = forward(function, first, size);
    look_for_hooks(caller);
    trace_below(BELOW_NOTHING);
    if (address && sampled_keep(address)) {
        trace_native_alloc(address, bytes, caller);
    }
    trace_leave();
    return address;
}

/* True if there is nothing to do but to call the real function. */
static inline bool passes(size_t size)
{
    return __builtin_expect(atomic_load_explicit(&late, memory_order_relaxed) != LATE_LOOKING, 1) &&
           (!sampled_is_outermost() || sample_passes(size));
}

static inline void *make(enum function function, size_t first, size_t size, struct caller caller)
{
    size_t bytes = function == CALLOC ? first * size : size;
    return passes(bytes) ? forward(function, first, size) : allocate(function, first, size, caller);
}

void *sampled_malloc(size_t size)
{
    return make(MALLOC, 0, size, NATIVE_CALLER);
}

void *sampled_calloc(size_t count, size_t size)
{
    return make(CALLOC, count, size, NATIVE_CALLER);
}

void *sampled_aligned_alloc(size_t alignment, size_t size)
{
    return make(ALIGNED_ALLOC, alignment, size, NATIVE_CALLER);
}

void *sampled_memalign(size_t alignment, size_t size)
{
    return make(MEMALIGN, alignment, size, NATIVE_CALLER);
}

void *sampled_valloc(size_t size)
{
    return make(VALLOC, 0, size, NATIVE_CALLER);
}

void *sampled_pvalloc(size_t size)
{
    return make(PVALLOC, 0, size, NATIVE_CALLER);
}

int sampled_posix_memalign(void **out, size_t alignment, size_t size)
{
    struct caller caller = NATIVE_CALLER;
    if (passes(size)) {
        return next.posix_memalign(out, alignment, size);
    }
    late_allocated(caller);
    if (!sampled_is_outermost() || !sample_draw(size) || !trace_enter()) {
        return next.posix_memalign(out, alignment, size);
    }
    sampled_note_end();
    trace_below(BELOW_NATIVE);
    int status = next.posix_memalign(out, alignment, size);
    trace_below(BELOW_NOTHING);
    if (status == 0 && *out && sampled_keep(*out)) {
        trace_native_alloc(*out, size, caller);
    }
    trace_leave();
    return status;
}

/* Some allocators free at a size of 0, and return a block all the same: then both are events. */
static __attribute__((noinline)) void *move(void *old, size_t size, struct caller caller)
{
    late_allocated(caller);
    bool is_hit = sampled_is_outermost() && sample_draw(size);
    if ((!is_hit && !sample_may_be(old)) || !trace_enter()) {
        sampled_release(old); /* of a sample, within a hook of the interpreter */
        return next.realloc(old, size);
    }
    sampled_note_end();
    bool was = size && sample_take(old);
    if (was) {
        trace_move_begin(old);
    } else if (sample_take(old)) {
        trace_free(old);
    }
    trace_below(BELOW_NATIVE);
    void *address = next.realloc(old, size);
    look_for_hooks(caller);
    trace_below(BELOW_NOTHING);
    if (sampled_move(old, was, address, is_hit)) {
        trace_native_move_end(was ? old : NULL, address, size, caller);
    }
    trace_leave();
    return address;
}

void *sampled_realloc(void *old, size_t size)
{
    if (!sample_may_be(old) && passes(size)) {
        return next.realloc(old, size);
    }
    return move(old, size, NATIVE_CALLER);
}

static __attribute__((noinline)) void release(void *address, struct caller caller)
{
    native_note_free(caller);
    sampled_release(address);
    next.free(address);
    late_freed(caller);
}

void sampled_free(void *address)
{
    struct caller caller = NATIVE_CALLER;
    if (__builtin_expect(native_is_loader(caller), 0) || sample_may_be(address)) {
        release(address, caller);
        return;
    }
    next.free(address);
}
