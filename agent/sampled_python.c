/*
 * Hooks in the interpreter's allocators for a session that samples
 * (sampled_python.h).  In the host, in every allocation of a Python object.
 *
 * The small blocks of mem and obj come from pymalloc, which asks nobody for one of them: what is no
 * sample costs the count of its bytes, and a jump.  All others come from malloc, whose hook must
 * not count them again: those calls are guarded.  Where mem and obj have what raw has
 * (PYTHONMALLOC=malloc, the debug layer), or what is not known, all are.
 */
#include "sampled_python.h"

#include "intern.h"
#include "peek.h"
#include "python.h"
#include "sampled.h"

#define TYPE_WITH_GIL 8u /* offset in an object */
#define BOOKS_LEAST 65536u
#define SMALL 512u       /* the largest block that pymalloc serves itself */

/* ---- samples ---- */

static __attribute__((noinline)) void *draw_malloc(
    const struct allocator *below, size_t size, enum mt_domain domain)
{
    if (!sample_draw(size) || !trace_enter()) {
        return below->malloc(below->context, size);
    }
    sampled_note_end();
    trace_below(BELOW_PYTHON);
    void *address = below->malloc(below->context, size);
    trace_below(BELOW_NOTHING);
    if (address && sampled_keep(address)) {
        trace_alloc(address, size, domain);
    }
    trace_leave();
    return address;
}

/* pymalloc's books of a new arena, which it makes for a small block that is not guarded: a power of
   two of bytes for all that it may ever have to note. */
static inline bool is_books(size_t count, size_t size, enum mt_domain domain, const void *caller)
{
    return domain == MT_DOMAIN_RAW && count == 1 && size >= BOOKS_LEAST &&
           (size & (size - 1)) == 0 && python_calls((uintptr_t)caller);
}

static __attribute__((noinline)) void *draw_calloc(
    const struct allocator *below, size_t count, size_t size, enum mt_domain domain)
{
    if (!sample_draw(count * size) || !trace_enter()) {
        return below->calloc(below->context, count, size);
    }
    sampled_note_end();
    trace_below(BELOW_PYTHON);
    void *address = below->calloc(below->context, count, size);
    trace_below(BELOW_NOTHING);
    if (address && sampled_keep(address)) {
        trace_alloc(address, count * size, domain);
    }
    trace_leave();
    return address;
}

static void *guarded_realloc(const struct allocator *below, void *old, size_t size)
{
    sampled_guard(BELOW_PYTHON);
    void *address = below->realloc(below->context, old, size);
    sampled_unguard();
    return address;
}

static __attribute__((noinline)) void *draw_realloc(
    const struct allocator *below, void *old, size_t size, enum mt_domain domain)
{
    bool is_hit = sample_draw(size);
    if (!is_hit && !sample_may_be(old)) {
        return guarded_realloc(below, old, size);
    }
    if (!trace_enter()) {
        return below->realloc(below->context, old, size);
    }
    sampled_note_end();
    bool was = sample_take(old);
    if (was) {
        trace_move_begin(old);
    }
    trace_below(BELOW_PYTHON);
    void *address = below->realloc(below->context, old, size);
    trace_below(BELOW_NOTHING);
    if (sampled_move(old, was, address, is_hit)) {
        trace_move_end(was ? old : NULL, address, size, domain);
    }
    trace_leave();
    return address;
}

static __attribute__((noinline)) void release(
    const struct allocator *below, void *address, bool is_code)
{
    if (address && is_code) {
        intern_code_dies((uintptr_t)address);
    }
    sampled_release(address);
    below->free(below->context, address);
}

/* ---- all the others ---- */

/* Within a hook it is that one's block. */
static inline void *guarded_malloc(
    const struct allocator *below, size_t size, enum mt_domain domain)
{
    if (!sampled_is_outermost()) {
        return below->malloc(below->context, size);
    }
    if (!sample_passes(size)) {
        return draw_malloc(below, size, domain);
    }
    sampled_guard(BELOW_PYTHON);
    void *address = below->malloc(below->context, size);
    sampled_unguard();
    return address;
}

static inline void *guarded_calloc(
    const struct allocator *below, size_t count, size_t size, enum mt_domain domain)
{
    if (!sampled_is_outermost()) {
        return below->calloc(below->context, count, size);
    }
    if (!sample_passes(count * size) &&
        !is_books(count, size, domain, __builtin_return_address(0))) {
        return draw_calloc(below, count, size, domain);
    }
    sampled_guard(BELOW_PYTHON);
    void *address = below->calloc(below->context, count, size);
    sampled_unguard();
    return address;
}

static inline void *hook_realloc(
    const struct allocator *below, void *old, size_t size, enum mt_domain domain)
{
    if (!sampled_is_outermost()) {
        return below->realloc(below->context, old, size);
    }
    if (sample_may_be(old) || !sample_passes(size)) {
        return draw_realloc(below, old, size, domain);
    }
    return guarded_realloc(below, old, size);
}

/* Code objects are freed through obj: a new one at the same address is another.  Without a GIL the
   type lies further in, but not beyond the allocator's segment. */
#define SEGMENT_SHIFT 25
static inline bool may_be_code(const void *address)
{
    uintptr_t object = (uintptr_t)address;
    if (!object || !python.known ||
        (python.offsets.free_threaded && (object ^ (object + 31)) >> SEGMENT_SHIFT != 0)) {
        return false;
    }
    return __builtin_expect(
        peek64(object + (uintptr_t)python.offsets.object_type) == python.code_type, 0);
}

static uintptr_t code_type; /* for hooks that are not reached before it is known */

static inline bool may_be_code_with_gil(const void *address)
{
    return address && __builtin_expect(peek64((uintptr_t)address + TYPE_WITH_GIL) == code_type, 0);
}

static inline void hook_free(const struct allocator *below, void *address, bool is_code)
{
    if (is_code || sample_may_be(address)) {
        release(below, address, is_code);
        return;
    }
    below->free(below->context, address);
}

/* ---- the hooks ---- */

#define SHARED_HOOKS_OF(name, domain)                                                              \
    static void *name##_realloc(void *context, void *old, size_t size)                             \
    {                                                                                              \
        return hook_realloc(context, old, size, domain);                                           \
    }                                                                                              \
    static void name##_free(void *context, void *address)                                          \
    {                                                                                              \
        hook_free(context, address, false);                                                        \
    }

#define GUARDED_HOOKS_OF(name, domain)                                                             \
    static void *name##_guarded_malloc(void *context, size_t size)                                 \
    {                                                                                              \
        return guarded_malloc(context, size, domain);                                              \
    }                                                                                              \
    static void *name##_guarded_calloc(void *context, size_t count, size_t size)                   \
    {                                                                                              \
        return guarded_calloc(context, count, size, domain);                                       \
    }

#define DIRECT_HOOKS_OF(name, domain)                                                              \
    static void *name##_malloc(void *context, size_t size)                                         \
    {                                                                                              \
        const struct allocator *below = context;                                                   \
        if (__builtin_expect(size <= SMALL, 1) && sample_passes(size)) {                           \
            return below->malloc(below->context, size);                                            \
        }                                                                                          \
        return guarded_malloc(below, size, domain);                                                \
    }                                                                                              \
    static void *name##_calloc(void *context, size_t count, size_t size)                           \
    {                                                                                              \
        const struct allocator *below = context;                                                   \
        if (__builtin_expect(count * size <= SMALL, 1) && sample_passes(count * size)) {           \
            return below->calloc(below->context, count, size);                                     \
        }                                                                                          \
        return guarded_calloc(below, count, size, domain);                                         \
    }

SHARED_HOOKS_OF(raw, MT_DOMAIN_RAW)
SHARED_HOOKS_OF(mem, MT_DOMAIN_MEM)
GUARDED_HOOKS_OF(raw, MT_DOMAIN_RAW)
GUARDED_HOOKS_OF(mem, MT_DOMAIN_MEM)
GUARDED_HOOKS_OF(obj, MT_DOMAIN_OBJ)
DIRECT_HOOKS_OF(mem, MT_DOMAIN_MEM)
DIRECT_HOOKS_OF(obj, MT_DOMAIN_OBJ)

static void *obj_realloc(void *context, void *old, size_t size)
{
    return hook_realloc(context, old, size, MT_DOMAIN_OBJ);
}

static void obj_any_free(void *context, void *address)
{
    hook_free(context, address, may_be_code(address));
}

static void obj_gil_free(void *context, void *address)
{
    hook_free(context, address, may_be_code_with_gil(address));
}

static const struct allocator guarded[3] = {
    {NULL, raw_guarded_malloc, raw_guarded_calloc, raw_realloc, raw_free},
    {NULL, mem_guarded_malloc, mem_guarded_calloc, mem_realloc, mem_free},
    {NULL, obj_guarded_malloc, obj_guarded_calloc, obj_realloc, obj_any_free},
};

static const struct allocator direct[3] = {
    {NULL, raw_guarded_malloc, raw_guarded_calloc, raw_realloc, raw_free},
    {NULL, mem_malloc, mem_calloc, mem_realloc, mem_free},
    {NULL, obj_malloc, obj_calloc, obj_realloc, obj_gil_free},
};

const struct allocator *sampled_python_hook(int domain, const struct allocator *top)
{
    static void *(*raw_malloc)(void *, size_t); /* what the hook of raw lies on */
    if (layers_reach(top, &direct[domain])) {
        return &direct[domain];
    }
    if (layers_reach(top, &guarded[domain])) {
        return &guarded[domain];
    }
    const struct allocator *place = layers_place(top), *below = place ? place : top;
    if (domain == MT_DOMAIN_RAW) {
        raw_malloc = below->malloc;
    }
    bool is_pymalloc = below->malloc != raw_malloc && !layers_is_debug(below) &&
                       python_calls((uintptr_t)below->malloc) && !python.offsets.free_threaded &&
                       python.offsets.object_type == TYPE_WITH_GIL;
    code_type = python.code_type;
    return is_pymalloc ? &direct[domain] : &guarded[domain];
}
