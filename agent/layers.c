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

static struct allocator layers[LAYERS]; /* what is below each hook */
static struct allocator unders[LAYERS]; /* of a debug layer what that lay on when the hook came */
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

static bool is_hook(const struct allocator *layer)
{
    uintptr_t context = (uintptr_t)layer->context;
    return context >= (uintptr_t)layers && context < (uintptr_t)(layers + LAYERS);
}

const struct allocator *layers_end_circle(const struct allocator *layer)
{
    const struct allocator *under = &unders[layer - layers];
    struct allocator *below = below_of(layer);
    if (!below || !under->malloc || !is_hook(below)) {
        return NULL;
    }
    *below = *under;
    python_hook();
    return under;
}

bool layers_lift(const struct allocator *top)
{
    struct allocator *hook = layers_is_debug(top) ? below_of(top) : NULL;
    if (!hook || !is_hook(hook)) {
        return false;
    }
    *hook = *(struct allocator *)hook->context;
    return true;
}

static struct allocator *set_layer(uint32_t i, const struct allocator *below)
{
    layers[i] = *below;
    unders[i] = layers_is_debug(below) ? *below_of(below) : (struct allocator){0};
    return &layers[i];
}

struct allocator *layers_add(const struct allocator *below)
{
    for (uint32_t i = 0; i < layers_used; i++) {
        if (layers[i].malloc == below->malloc && layers[i].context == below->context) {
            return set_layer(i, below);
        }
    }
    if (layers_used == LAYERS) {
        return NULL;
    }
    if (!python_calls((uintptr_t)below->malloc)) {
        nested_foreign_layer();
    }
    on_debug_layer |= layers_is_debug(below);
    return set_layer(layers_used++, below);
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
