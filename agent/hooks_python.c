/*
 * Hooks in the interpreter's allocators: the domains raw, mem and obj, and the
 * arenas of obj.  In the host, in every allocation of a Python object.
 *
 * A hook is called with its own record as context, which holds the allocator
 * below it: where other layers (debug hooks, tracemalloc) come between, each of
 * ours still knows what is below itself.
 */
#include "debughooks.h"
#include "elfsym.h"
#include "fast.h"
#include "intern.h"
#include "layers.h"
#include "nested.h"
#include "peek.h"
#include "python.h"
#include "rawblocks.h"
#include "sampled_python.h"
#include "trace.h"

struct arena_allocator { /* PyObjectArenaAllocator */
    void *context;
    void *(*alloc)(void *context, size_t size);
    void (*free)(void *context, void *address, size_t size);
};

static struct arena_allocator arenas_below;

static void (*get_allocator)(int domain, struct allocator *out);
static void (*set_allocator)(int domain, struct allocator *in);

static inline void note_end(void)
{
    if (__builtin_expect(*python.finalizing != 0, 0)) {
        trace_end();
    }
}

/* What the debug layer has before a raw block: a letter and seven of the same byte. */
#define DEBUG_RAW 0xfdfdfdfdfdfdfd72ull
#define PAGE_MASK 4095u

void python_note_unhooked(const void *address)
{
    rawblocks_note(address, RAWBLOCK_UNHOOKED);
}

/* An allocator without headers may have two blocks as near as that.  At the start of a page what
   is before need not be readable, and the noted address is proof enough. */
static bool has_debug_layer(uintptr_t address)
{
    return !(address & PAGE_MASK) || peek64(address - sizeof(uint64_t)) == DEBUG_RAW;
}

/* What was recorded for a block that the interpreter calls `address`: it is that no more.  NULL if
   it never was. */
static __attribute__((noinline)) const void *raw_recorded_as(const void *address)
{
    if (!address) {
        return address;
    }
    if (rawblocks_take(address, RAWBLOCK_BOOKS)) {
        return NULL;
    }
    const void *base = (const char *)address - LAYERS_DEBUG_BYTES;
    bool is_base = has_debug_layer((uintptr_t)address) && rawblocks_take(base, RAWBLOCK_UNHOOKED);
    return is_base ? base : address;
}

FAST const void *recorded_as(const void *address, enum mt_domain domain)
{
    return domain == MT_DOMAIN_RAW ? raw_recorded_as(address) : address;
}

/* A new raw block: what was noted of one that has been in its place is over. */
static inline void note_new(const void *address, enum mt_domain domain)
{
    if (domain == MT_DOMAIN_RAW && address) {
        rawblocks_take(address, RAWBLOCK_UNHOOKED);
        recorded_as(address, domain);
    }
}

const void *python_recorded_as(const void *address)
{
    bool is_its_own = rawblocks_take(address, RAWBLOCK_UNHOOKED);
    if (!layers_debug_frees(address) || !python_hook() || is_its_own) {
        return address;
    }
    return (const char *)address + LAYERS_DEBUG_BYTES;
}

/* A raw block made inside another hook is what that one returns, or pymalloc's books: the array
   of arenas, which alone is moved from nowhere, and what it makes after a new arena. */
static void note_books(const void *address, bool made_arena)
{
    if (made_arena) {
        rawblocks_note(address, RAWBLOCK_BOOKS);
    }
}

/* The interpreter's allocator, called by a hook that is the thread's only one, calls on: nothing
   has to be kept, and nobody has made an arena. */
FAST bool is_called_on(void)
{
    return thread_self.guard == (1 | (uint64_t)BELOW_PYTHON << 32);
}

static void *nested_malloc(const struct allocator *below, size_t size, enum mt_domain domain)
{
    enum below outer = thread_self.below;
    trace_below(BELOW_PYTHON);
    void *address = below->malloc(below->context, size);
    trace_below(outer);
    note_books(address, domain == MT_DOMAIN_RAW && thread_self.depth & THREAD_MADE_ARENA);
    return address;
}

static void *nested_calloc(
    const struct allocator *below, size_t count, size_t size, enum mt_domain domain)
{
    enum below outer = thread_self.below;
    trace_below(BELOW_PYTHON);
    void *address = below->calloc(below->context, count, size);
    trace_below(outer);
    note_books(address, domain == MT_DOMAIN_RAW && thread_self.depth & THREAD_MADE_ARENA);
    return address;
}

static void *nested_realloc(
    const struct allocator *below, void *old, size_t size, enum mt_domain domain)
{
    bool is_books = domain == MT_DOMAIN_RAW && (!old || rawblocks_take(old, RAWBLOCK_BOOKS));
    enum below outer = thread_self.below;
    trace_below(BELOW_PYTHON);
    void *address = below->realloc(below->context, old, size);
    trace_below(outer);
    note_books(address ? address : old, is_books);
    return address;
}

/* tracemalloc is called for a raw block while one of an object is freed or moved, and clears its
   tables there. */
static void nested_free(const struct allocator *below, void *address, enum mt_domain domain)
{
    enum below outer = thread_self.below;
    if (domain == MT_DOMAIN_RAW && outer == BELOW_MOVE && !nested_is_same(address)) {
        trace_below(BELOW_NOTHING);
        trace_free(recorded_as(address, domain));
    }
    trace_below(BELOW_PYTHON);
    below->free(below->context, address);
    trace_below(outer);
}

/* ---- an event, whatever is the case ---- */

static bool has_begun; /* a thread has had a state */

/* A debug layer that the program has set up before it initializes its interpreter lies on our
   hooks.  They are put on top of it; true if the call under way has come through it. */
static __attribute__((noinline)) bool was_under_debug(enum mt_domain domain)
{
    bool lifted = false;
    trace_below(BELOW_NATIVE);
    has_begun = python_state(false) != 0;
    for (int i = 0; i < 3; i++) {
        struct allocator top = {0};
        get_allocator(i, &top);
        lifted |= layers_lift(&top) && i == (int)domain;
    }
    python_hook();
    trace_below(BELOW_NOTHING);
    return lifted;
}

/* `old` is NULL for a new block. */
static inline void record(const void *old, void *address, size_t size, enum mt_domain domain)
{
    if (RARELY(!has_begun) && was_under_debug(domain)) {
        address = debughooks_block(address);
        size = debughooks_size(size);
    }
    trace_move_end(old, address, size, domain);
}

static __attribute__((noinline)) void *slow_malloc(
    const struct allocator *below, size_t size, enum mt_domain domain)
{
    if (is_called_on()) {
        return below->malloc(below->context, size);
    }
    if (!trace_enter()) {
        return nested_malloc(below, size, domain);
    }
    note_end();
    trace_below(BELOW_PYTHON);
    void *address = below->malloc(below->context, size);
    trace_below(BELOW_NOTHING);
    note_new(address, domain);
    record(NULL, address, size, domain);
    trace_leave();
    return address;
}

static __attribute__((noinline)) void *slow_calloc(
    const struct allocator *below, size_t count, size_t size, enum mt_domain domain)
{
    if (is_called_on()) {
        return below->calloc(below->context, count, size);
    }
    if (!trace_enter()) {
        return nested_calloc(below, count, size, domain);
    }
    note_end();
    trace_below(BELOW_PYTHON);
    void *address = below->calloc(below->context, count, size);
    trace_below(BELOW_NOTHING);
    note_new(address, domain);
    record(NULL, address, count * size, domain);
    trace_leave();
    return address;
}

static __attribute__((noinline)) void *slow_realloc(
    const struct allocator *below, void *old, size_t size, enum mt_domain domain)
{
    if (!trace_enter()) {
        return nested_realloc(below, old, size, domain);
    }
    note_end();
    const void *recorded = recorded_as(old, domain);
    trace_move_begin(recorded);
    thread_self.moving = (uintptr_t)recorded;
    trace_below(old ? BELOW_MOVE : BELOW_PYTHON);
    void *address = below->realloc(below->context, old, size);
    trace_below(BELOW_NOTHING);
    note_new(address, domain);
    record(recorded, address, size, domain);
    trace_leave();
    return address;
}

static __attribute__((noinline)) void slow_free(
    const struct allocator *below, void *address, enum mt_domain domain)
{
    if (!address || !trace_enter()) {
        nested_free(below, address, domain);
        return;
    }
    note_end();
    const void *recorded = recorded_as(address, domain);
    trace_free(recorded);
    thread_self.moving = (uintptr_t)recorded;
    trace_below(BELOW_MOVE);
    below->free(below->context, address);
    trace_below(BELOW_NOTHING);
    trace_leave();
}

/* ---- the hooks: an event as nearly all are (fast.h) ---- */

/* What is left of an event that turns out not to be such; in the end of a hook, so that the hook
   has nothing to keep meanwhile. */

static __attribute__((noinline)) void *finish_alloc(
    void *address, size_t size, enum mt_domain domain)
{
    if (!fast_block_after_hop(MT_OP_ALLOC, address, size, domain)) {
        record(NULL, address, size, domain);
    }
    fast_leave();
    return address;
}

static __attribute__((noinline)) void *finish_move(
    void *address, size_t size, enum mt_domain domain, const void *recorded)
{
    enum mt_op op = recorded ? MT_OP_REALLOC_END : MT_OP_ALLOC;
    if (!fast_block_after_hop(op, address, size, domain)) {
        record(recorded, address, size, domain);
    }
    fast_leave();
    return address;
}

static void free_below(const struct allocator *below, void *address, const void *recorded)
{
    thread_self.moving = (uintptr_t)recorded;
    fast_below(BELOW_MOVE);
    below->free(below->context, address);
    fast_leave();
}

static __attribute__((noinline)) void finish_free(
    const struct allocator *below, void *address, const void *recorded)
{
    trace_free(recorded);
    free_below(below, address, recorded);
}

FAST void *hook_malloc(void *context, size_t size, enum mt_domain domain, enum py_mark_kind kind)
{
    const struct allocator *below = context;
    if (!fast_may_enter()) {
        return slow_malloc(below, size, domain);
    }
    fast_below(BELOW_PYTHON);
    void *address = below->malloc(below->context, size);
    fast_record();
    note_new(address, domain);
    if (!fast_alloc(address, size, domain, kind)) {
        return finish_alloc(address, size, domain);
    }
    fast_leave();
    return address;
}

FAST void *hook_calloc(
    void *context, size_t count, size_t size, enum mt_domain domain, enum py_mark_kind kind)
{
    const struct allocator *below = context;
    if (!fast_may_enter()) {
        return slow_calloc(below, count, size, domain);
    }
    fast_below(BELOW_PYTHON);
    void *address = below->calloc(below->context, count, size);
    fast_record();
    note_new(address, domain);
    if (!fast_alloc(address, count * size, domain, kind)) {
        return finish_alloc(address, count * size, domain);
    }
    fast_leave();
    return address;
}

FAST void *hook_realloc(
    void *context, void *old, size_t size, enum mt_domain domain, enum py_mark_kind kind)
{
    const struct allocator *below = context;
    if (!fast_may_enter()) {
        return slow_realloc(below, old, size, domain);
    }
    fast_record();
    const void *recorded = recorded_as(old, domain);
    if (!fast_move_begin(recorded)) {
        trace_move_begin(recorded);
    }
    thread_self.moving = (uintptr_t)recorded;
    fast_below(old ? BELOW_MOVE : BELOW_PYTHON);
    void *address = below->realloc(below->context, old, size);
    fast_record();
    note_new(address, domain);
    if (!fast_move_end(recorded, address, size, domain, kind)) {
        return finish_move(address, size, domain, recorded);
    }
    fast_leave();
    return address;
}

/* Without a GIL the type lies behind the 16 bytes that every block has: no further than the end of
   the allocator's segment. */
#define SEGMENT_SHIFT 25
static inline bool has_type(uintptr_t object)
{
    return (object ^ (object + 31)) >> SEGMENT_SHIFT == 0;
}

/* Code objects are freed through here: a new one at the same address is another. */
FAST bool is_code(const void *address, bool with_gil)
{
    uintptr_t object = (uintptr_t)address;
    return object % 16 == 0 && (with_gil || has_type(object)) && object &&
           RARELY(peek64(object + (uintptr_t)python.offsets.object_type) == python.code_type);
}

static __attribute__((noinline)) void free_code(const struct allocator *below, void *address)
{
    intern_code_dies((uintptr_t)address);
    slow_free(below, address, MT_DOMAIN_OBJ);
}

FAST void hook_free(void *context, void *address, enum mt_domain domain, bool with_gil)
{
    const struct allocator *below = context;
    if (domain == MT_DOMAIN_OBJ && is_code(address, with_gil)) {
        free_code(below, address);
        return;
    }
    if (RARELY(!address) || !fast_may_enter()) {
        slow_free(below, address, domain);
        return;
    }
    fast_record();
    const void *recorded = recorded_as(address, domain);
    if (!fast_free(recorded)) {
        finish_free(below, address, recorded);
        return;
    }
    free_below(below, address, recorded);
}

#define HOOK_FREE(name, domain, with_gil)                                                          \
    static void name##_free(void *context, void *address)                                          \
    {                                                                                              \
        hook_free(context, address, domain, with_gil);                                             \
    }

HOOK_FREE(raw, MT_DOMAIN_RAW, true)
HOOK_FREE(mem, MT_DOMAIN_MEM, true)
HOOK_FREE(obj, MT_DOMAIN_OBJ, true)
HOOK_FREE(nogil_obj, MT_DOMAIN_OBJ, false)

/* One set for each way to mark activations, so that none asks which it is. */
#define HOOKS_OF(name, domain, way, kind)                                                          \
    static void *name##_malloc_##way(void *context, size_t size)                                   \
    {                                                                                              \
        return hook_malloc(context, size, domain, kind);                                           \
    }                                                                                              \
    static void *name##_calloc_##way(void *context, size_t count, size_t size)                     \
    {                                                                                              \
        return hook_calloc(context, count, size, domain, kind);                                    \
    }                                                                                              \
    static void *name##_realloc_##way(void *context, void *old, size_t size)                       \
    {                                                                                              \
        return hook_realloc(context, old, size, domain, kind);                                     \
    }

#define HOOK_SET(way, kind)                                                                        \
    HOOKS_OF(raw, MT_DOMAIN_RAW, way, kind)                                                        \
    HOOKS_OF(mem, MT_DOMAIN_MEM, way, kind)                                                        \
    HOOKS_OF(obj, MT_DOMAIN_OBJ, way, kind)

HOOK_SET(none, PY_MARK_NONE)
HOOK_SET(lines, PY_MARK_TRACE_LINES)
HOOK_SET(stack, PY_MARK_STACK)
HOOK_SET(owner, PY_MARK_OWNER)
HOOK_SET(copies, PY_MARK_OWNER_COPIES)

#define HOOK_TABLE(name, way)                                                                      \
    {                                                                                              \
        NULL, name##_malloc_##way, name##_calloc_##way, name##_realloc_##way, name##_free          \
    }
#define HOOK_TABLES(way)                                                                           \
    {                                                                                              \
        HOOK_TABLE(raw, way), HOOK_TABLE(mem, way), HOOK_TABLE(obj, way)                           \
    }

static const struct allocator hooks[][3] = {
    [PY_MARK_NONE] = HOOK_TABLES(none),
    [PY_MARK_TRACE_LINES] = HOOK_TABLES(lines),
    [PY_MARK_STACK] = HOOK_TABLES(stack),
    [PY_MARK_OWNER] = HOOK_TABLES(owner),
    [PY_MARK_OWNER_COPIES] = HOOK_TABLES(copies),
};

static void *arena_alloc(void *context, size_t size)
{
    bool outermost = thread_self.depth == 0;
    if (outermost) {
        python_hook(); /* an arena that no hook of ours asked for: they were dropped */
    }
    uint32_t depth = thread_self.depth++;
    enum below below = thread_self.below;
    if (session.sample_bytes && !has_begun) {
        was_under_debug(MT_DOMAIN_OBJ);
    }
    trace_below(BELOW_PYTHON);
    void *address = arenas_below.alloc(arenas_below.context, size);
    trace_below(BELOW_NOTHING);
    if (address && session_live.on) {
        trace_map(address, size, MT_MAP_ARENA, NULL);
    }
    trace_below(below);
    thread_self.depth = depth | (address && !outermost ? THREAD_MADE_ARENA : 0);
    return address;
}

static void arena_free(void *context, void *address, size_t size)
{
    enum below below = thread_self.below;
    uint32_t depth = thread_self.depth++;
    trace_below(BELOW_NOTHING);
    if (session_live.on) {
        if (session.sample_bytes) {
            note_end();
        }
        trace_unmap(address, size, 0);
    }
    trace_below(BELOW_PYTHON);
    arenas_below.free(arenas_below.context, address, size);
    trace_below(below);
    thread_self.depth = depth;
}

static const struct allocator *exact_hook(int domain)
{
    static struct allocator without_gil;
    const struct allocator *hook = &hooks[python.offsets.mark_kind][domain];
    if (domain == MT_DOMAIN_OBJ && python.offsets.free_threaded) {
        without_gil = *hook;
        without_gil.free = nogil_obj_free;
        return &without_gil;
    }
    return hook;
}

static bool hook_domain(int domain)
{
    struct allocator top = {0};
    get_allocator(domain, &top);
    if (debughooks_reach(domain, &top)) {
        return false;
    }
    struct allocator hook =
        session.sample_bytes ? *sampled_python_hook(domain, &top) : *exact_hook(domain);
    if (layers_reach(&top, &hook)) {
        return false;
    }
    struct allocator *place = layers_place(&top), *below = place ? place : &top;
    hook.context = layers_add(below);
    if (layers_is_debug(below)) {
        debughooks_watch(domain, &hook);
    }
    if (hook.context && place) {
        *place = hook;
    } else if (hook.context) {
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

void python_forget_hooks(void)
{
    get_allocator = NULL;
    has_begun = false;
    arenas_below.alloc = NULL;
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

void python_hook_early(void)
{
    trace_below(BELOW_NATIVE);
    python.may_drop = python_state(false) == 0;
    python_hook();
    trace_below(BELOW_NOTHING);
}
