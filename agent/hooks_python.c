/*
 * Hooks in the interpreter's allocators: the domains raw, mem and obj, and the
 * arenas of obj.  In the host, in every allocation of a Python object.
 *
 * A hook is called with its own record as context, which holds the allocator
 * below it: where other layers (debug hooks, tracemalloc) come between, each of
 * ours still knows what is below itself.
 */
#include "elfsym.h"
#include "intern.h"
#include "nested.h"
#include "peek.h"
#include "python.h"
#include "trace.h"

#define LAYERS 24 /* hooks that can ever be installed */

struct allocator { /* PyMemAllocatorEx */
    void *context;
    void *(*malloc)(void *context, size_t size);
    void *(*calloc)(void *context, size_t count, size_t size);
    void *(*realloc)(void *context, void *old, size_t size);
    void (*free)(void *context, void *address);
};

struct arena_allocator { /* PyObjectArenaAllocator */
    void *context;
    void *(*alloc)(void *context, size_t size);
    void (*free)(void *context, void *address, size_t size);
};

static struct allocator layers[LAYERS]; /* what is below each hook */
static uint32_t layers_used;
static struct arena_allocator arenas_below;

static void (*get_allocator)(int domain, struct allocator *out);
static void (*set_allocator)(int domain, struct allocator *in);

static inline void note_end(void)
{
    if (__builtin_expect(*python.finalizing != 0, 0)) {
        trace_end();
    }
}

/* The debug layer puts two words before each block: its size; the domain's letter and seven of the
   same byte (CPython, Objects/obmalloc.c). */
#define DEBUG_BYTES (2 * sizeof(size_t))
#define DEBUG_RAW 0xfdfdfdfdfdfdfd72ull
#define PAGE_MASK 4095u

/* Hooks go missing a few times while an interpreter starts, never later in numbers. */
#define UNHOOKED 16
static uintptr_t unhooked_blocks[UNHOOKED];
static uint32_t n_unhooked;

void python_note_unhooked(const void *address)
{
    if (n_unhooked < UNHOOKED) {
        unhooked_blocks[n_unhooked++] = (uintptr_t)address;
    }
}

/* An allocator without headers may have two blocks as near as that.  At the start of a page what
   is before need not be readable, and the noted address is proof enough. */
static bool has_debug_layer(uintptr_t address)
{
    return !(address & PAGE_MASK) || peek64(address - sizeof(uint64_t)) == DEBUG_RAW;
}

/* What was recorded for a raw block that the interpreter calls `address`: it is that no more. */
static const void *recorded_as(const void *address)
{
    for (uint32_t i = 0; i < n_unhooked; i++) {
        if ((uintptr_t)address - DEBUG_BYTES == unhooked_blocks[i]
            && has_debug_layer((uintptr_t)address)) {
            unhooked_blocks[i] = 0;
            return (const char *)address - DEBUG_BYTES;
        }
    }
    return address;
}

/* A new raw block: what was noted of one that has been in its place is over. */
static inline void note_new(const void *address, enum mt_domain domain)
{
    if (domain == MT_DOMAIN_RAW && __builtin_expect(n_unhooked != 0, 0)) {
        recorded_as(address);
    }
}

static inline void *hook_malloc(void *context, size_t size, enum mt_domain domain)
{
    const struct allocator *below = context;
    if (!trace_enter()) {
        return below->malloc(below->context, size);
    }
    note_end();
    trace_below(BELOW_PYTHON);
    void *address = below->malloc(below->context, size);
    trace_below(BELOW_NOTHING);
    note_new(address, domain);
    trace_alloc(address, size, domain);
    trace_leave();
    return address;
}

static inline void *hook_calloc(void *context, size_t count, size_t size, enum mt_domain domain)
{
    const struct allocator *below = context;
    if (!trace_enter()) {
        return below->calloc(below->context, count, size);
    }
    note_end();
    trace_below(BELOW_PYTHON);
    void *address = below->calloc(below->context, count, size);
    trace_below(BELOW_NOTHING);
    note_new(address, domain);
    trace_alloc(address, count * size, domain);
    trace_leave();
    return address;
}

static inline void *hook_realloc(void *context, void *old, size_t size, enum mt_domain domain)
{
    const struct allocator *below = context;
    if (!trace_enter()) {
        return below->realloc(below->context, old, size);
    }
    note_end();
    const void *recorded = domain == MT_DOMAIN_RAW ? recorded_as(old) : old;
    trace_move_begin(recorded);
    trace_below(BELOW_PYTHON);
    void *address = below->realloc(below->context, old, size);
    trace_below(BELOW_NOTHING);
    note_new(address, domain);
    trace_move_end(recorded, address, size, domain);
    trace_leave();
    return address;
}

/* Code objects are freed through here: a new one at the same address is another. */
static inline void note_code(const void *address)
{
    uintptr_t object = (uintptr_t)address;
    if (python.known && object % 16 == 0
        && peek64(object + (uintptr_t)python.offsets.object_type) == python.code_type) {
        intern_code_dies(object);
    }
}

static inline void hook_free(void *context, void *address, enum mt_domain domain)
{
    const struct allocator *below = context;
    if (domain == MT_DOMAIN_OBJ && address) {
        note_code(address);
    }
    if (!address || !trace_enter()) {
        below->free(below->context, address);
        return;
    }
    note_end();
    trace_free(domain == MT_DOMAIN_RAW ? recorded_as(address) : address);
    trace_below(BELOW_PYTHON);
    below->free(below->context, address);
    trace_below(BELOW_NOTHING);
    trace_leave();
}

#define HOOKS_OF(name, domain)                                                                     \
    static void *name##_malloc(void *context, size_t size)                                         \
    {                                                                                              \
        return hook_malloc(context, size, domain);                                                 \
    }                                                                                              \
    static void *name##_calloc(void *context, size_t count, size_t size)                           \
    {                                                                                              \
        return hook_calloc(context, count, size, domain);                                          \
    }                                                                                              \
    static void *name##_realloc(void *context, void *old, size_t size)                             \
    {                                                                                              \
        return hook_realloc(context, old, size, domain);                                           \
    }                                                                                              \
    static void name##_free(void *context, void *address)                                          \
    {                                                                                              \
        hook_free(context, address, domain);                                                       \
    }

HOOKS_OF(raw, MT_DOMAIN_RAW)
HOOKS_OF(mem, MT_DOMAIN_MEM)
HOOKS_OF(obj, MT_DOMAIN_OBJ)

static const struct allocator hooks[3] = {
    {NULL, raw_malloc, raw_calloc, raw_realloc, raw_free},
    {NULL, mem_malloc, mem_calloc, mem_realloc, mem_free},
    {NULL, obj_malloc, obj_calloc, obj_realloc, obj_free},
};

static void *arena_alloc(void *context, size_t size)
{
    bool outermost = thread_self.depth == 0;
    if (outermost) {
        python_hook(); /* an arena that no hook of ours asked for: they were dropped */
    }
    uint32_t depth = thread_self.depth++;
    enum below below = thread_self.below;
    trace_below(BELOW_PYTHON);
    void *address = arenas_below.alloc(arenas_below.context, size);
    trace_below(BELOW_NOTHING);
    if (address && session_live.on) {
        trace_map(address, size, MT_MAP_ARENA, NULL);
    }
    trace_below(below);
    thread_self.depth = depth;
    return address;
}

static void arena_free(void *context, void *address, size_t size)
{
    enum below below = thread_self.below;
    uint32_t depth = thread_self.depth++;
    trace_below(BELOW_NOTHING);
    if (session_live.on) {
        trace_unmap(address, size);
    }
    trace_below(BELOW_PYTHON);
    arenas_below.free(arenas_below.context, address, size);
    trace_below(below);
    thread_self.depth = depth;
}

/* A layer with this allocator below it: one from before, if there is one. */
static struct allocator *layer_above(const struct allocator *below)
{
    for (uint32_t i = 0; i < layers_used; i++) {
        if (layers[i].malloc == below->malloc && layers[i].context == below->context) {
            return &layers[i];
        }
    }
    if (layers_used == LAYERS) {
        return NULL;
    }
    if ((uintptr_t)below->malloc - python.text_start >= python.text_end - python.text_start) {
        nested_foreign_layer();
    }
    layers[layers_used] = *below;
    return &layers[layers_used++];
}

static bool hook_domain(int domain)
{
    struct allocator top = {0}, hook = hooks[domain];
    get_allocator(domain, &top);
    if (top.malloc == hook.malloc) {
        return false;
    }
    hook.context = layer_above(&top);
    if (hook.context) {
        set_allocator(domain, &hook);
    }
    return hook.context != NULL;
}

static void hook_arenas(void)
{
    void (*get)(struct arena_allocator *) =
        (void (*)(struct arena_allocator *))elfsym_find("PyObject_GetArenaAllocator");
    void (*set)(struct arena_allocator *) =
        (void (*)(struct arena_allocator *))elfsym_find("PyObject_SetArenaAllocator");
    struct arena_allocator hook = {NULL, arena_alloc, arena_free};
    if (get && set && !arenas_below.alloc) {
        get(&arenas_below);
        set(&hook);
    }
}

bool python_hook(void)
{
    bool missing = false;
    if (!python.known || !session_live.on) {
        return false;
    }
    if (!get_allocator) {
        get_allocator = (void (*)(int, struct allocator *))elfsym_find("PyMem_GetAllocator");
        set_allocator = (void (*)(int, struct allocator *))elfsym_find("PyMem_SetAllocator");
        hook_arenas();
    }
    thread_self.depth++;
    for (int domain = 0; domain < 3; domain++) {
        missing |= hook_domain(domain);
    }
    thread_self.depth--;
    if (missing) {
        intern_distrust();
    }
    return missing;
}
