/*
 * The pile of allocators (layers.h).  In the host, where hooks are put in place:
 * reads the contexts of CPython's own layers, whose shape has been the same since
 * there are any.
 */
#include "layers.h"

#include <stdint.h>

#include "nested.h"
#include "peek.h"
#include "python.h"

#define LAYERS 24                  /* hooks that can ever be installed */
#define PILE 8                     /* more layers than anybody piles up */
#define DEAD 0xddddddddddddddddull /* what the debug layer fills a block with that it frees */

static struct allocator layers[LAYERS]; /* what is below each hook; a guard if that is debug */
static struct guard {
    struct allocator debug, under; /* under: what the debug layer lay on when the hook came */
} guards[LAYERS];                  /* of those layers */
static uint32_t layers_used;
static bool on_debug_layer;

/* The debug layer's context is the letter of its domain, then the allocator below it. */
bool layers_is_debug(const struct allocator *layer)
{
    uint64_t letter = python_calls((uintptr_t)layer->malloc) && layer->context
                          ? peek64((uintptr_t)layer->context)
                          : 0;
    return letter == 'r' || letter == 'm' || letter == 'o';
}

/* Where one of CPython's own layers keeps what is below it; NULL if this is none. */
static struct allocator *below_of(const struct allocator *layer)
{
    if (!python_calls((uintptr_t)layer->malloc) || !layer->context) {
        return NULL;
    }
    return (
        struct allocator *)((char *)layer->context + (layers_is_debug(layer) ? sizeof(void *) : 0));
}

bool layers_reach(const struct allocator *top, const struct allocator *hook)
{
    for (uint32_t i = 0; top && i < PILE; i++) {
        if (top->malloc == hook->malloc) {
            return true;
        }
        top = below_of(top);
    }
    return false;
}

/* ---- debug hooks that are set up on top of us, when we lie on debug hooks ---- */

static bool is_ours(const struct allocator *layer)
{
    uintptr_t context = (uintptr_t)layer->context;
    return context >= (uintptr_t)layers && context < (uintptr_t)(layers + LAYERS);
}

/* CPython has one debug layer for a domain: PyMem_SetupDebugHooks has taken it from below us, to put
   it on top, so that it now lies on us and we on it.  True if so: it lies again where it lay, and we
   on it; the call under way has been through it, and goes on below. */
static bool end_loop(const struct guard *guard)
{
    struct allocator *below = below_of(&guard->debug);
    if (!is_ours(below)) {
        return false;
    }
    *below = guard->under;
    python_hook();
    return true;
}

static const struct allocator *next_of(const struct guard *guard)
{
    return end_loop(guard) ? &guard->under : &guard->debug;
}

static void *guard_malloc(void *context, size_t size)
{
    const struct allocator *next = next_of(context);
    return next->malloc(next->context, size);
}

static void *guard_calloc(void *context, size_t count, size_t size)
{
    const struct allocator *next = next_of(context);
    return next->calloc(next->context, count, size);
}

static void *guard_realloc(void *context, void *old, size_t size)
{
    const struct allocator *next = next_of(context);
    return next->realloc(next->context, old, size);
}

static void guard_free(void *context, void *address)
{
    const struct allocator *next = next_of(context);
    next->free(next->context, address);
}

/* What a hook calls that lies on this. */
static struct allocator guarded(const struct allocator *below, struct guard *guard)
{
    if (!layers_is_debug(below)) {
        return *below;
    }
    *guard = (struct guard){*below, *below_of(below)};
    return (struct allocator){guard, guard_malloc, guard_calloc, guard_realloc, guard_free};
}

static bool is_layer(uint32_t i, const struct allocator *below)
{
    const struct allocator *layer = layers[i].context == &guards[i] ? &guards[i].debug : &layers[i];
    return layer->malloc == below->malloc && layer->context == below->context;
}

struct allocator *layers_add(const struct allocator *below)
{
    for (uint32_t i = 0; i < layers_used; i++) {
        if (is_layer(i, below)) {
            layers[i] = guarded(below, &guards[i]);
            return &layers[i];
        }
    }
    if (layers_used == LAYERS) {
        return NULL;
    }
    if (!python_calls((uintptr_t)below->malloc)) {
        nested_foreign_layer();
    }
    on_debug_layer |= layers_is_debug(below);
    layers[layers_used] = guarded(below, &guards[layers_used]);
    return &layers[layers_used++];
}

struct allocator *layers_place(const struct allocator *top)
{
    struct allocator *below = layers_is_debug(top) ? NULL : below_of(top);
    bool is_tracemalloc =
        below && python_calls((uintptr_t)below->malloc) && python_calls((uintptr_t)below->calloc) &&
        python_calls((uintptr_t)below->realloc) && python_calls((uintptr_t)below->free);
    return is_tracemalloc ? below : NULL;
}

bool layers_debug_frees(const void *address)
{
    uintptr_t header = (uintptr_t)address;
    return on_debug_layer && peek64(header) == DEAD && peek64(header + sizeof(uint64_t)) == DEAD;
}
