/*
 * Hooks next to the debug layer (debughooks.h).  In the host, in every allocation of a Python
 * object while its debug hooks are set up.
 *
 * CPython has one debug layer for a domain, and our hook lies on it.  PyMem_SetupDebugHooks finds
 * our hook on top and not the layer, puts the layer on that, and so both in a circle.  The first
 * call then comes from the layer, for a block with room for what that adds.  The hook that does the
 * work is called for the program's block, and what it calls adds the room again.
 */
#include "debughooks.h"

#include "memtrace/ring.h"

static struct allocator workers[3]; /* the hooks that do the work; their contexts are not used */

/* ---- below a worker: the program's block, made of one with room ---- */

static void *base_of(void *block)
{
    return block ? (char *)block - LAYERS_DEBUG_BYTES : block;
}

static void *inner_malloc(void *context, size_t size)
{
    const struct allocator *below = context;
    return debughooks_block(below->malloc(below->context, size + LAYERS_DEBUG_EXTRA));
}

static void *inner_calloc(void *context, size_t count, size_t size)
{
    const struct allocator *below = context;
    return debughooks_block(below->calloc(below->context, 1, count * size + LAYERS_DEBUG_EXTRA));
}

static void *inner_realloc(void *context, void *old, size_t size)
{
    const struct allocator *below = context;
    return debughooks_block(
        below->realloc(below->context, base_of(old), size + LAYERS_DEBUG_EXTRA));
}

static void inner_free(void *context, void *address)
{
    const struct allocator *below = context;
    below->free(below->context, base_of(address));
}

static struct allocator inner_of(const struct allocator *below)
{
    return (struct allocator){(void *)below, inner_malloc, inner_calloc, inner_realloc, inner_free};
}

/* ---- a call that comes from the debug layer, in a circle ---- */

#define OUT_OF_LINE static __attribute__((noinline))

OUT_OF_LINE void *padded_malloc(const struct allocator *below, size_t size, int domain)
{
    struct allocator inner = inner_of(below);
    return base_of(workers[domain].malloc(&inner, debughooks_size(size)));
}

OUT_OF_LINE void *padded_calloc(
    const struct allocator *below, size_t count, size_t size, int domain)
{
    struct allocator inner = inner_of(below);
    return base_of(workers[domain].calloc(&inner, 1, debughooks_size(count * size)));
}

OUT_OF_LINE void *padded_realloc(const struct allocator *below, void *old, size_t size, int domain)
{
    struct allocator inner = inner_of(below);
    return base_of(workers[domain].realloc(&inner, debughooks_block(old), debughooks_size(size)));
}

OUT_OF_LINE void padded_free(const struct allocator *below, void *address, int domain)
{
    struct allocator inner = inner_of(below);
    workers[domain].free(&inner, debughooks_block(address));
}

/* ---- the hooks ---- */

#define HOOKS_OF(name, domain)                                                                     \
    static void *name##_malloc(void *context, size_t size)                                         \
    {                                                                                              \
        const struct allocator *under = layers_end_circle(context);                                \
        return under ? padded_malloc(under, size, domain) : workers[domain].malloc(context, size); \
    }                                                                                              \
    static void *name##_calloc(void *context, size_t count, size_t size)                           \
    {                                                                                              \
        const struct allocator *under = layers_end_circle(context);                                \
        return under ? padded_calloc(under, count, size, domain)                                   \
                     : workers[domain].calloc(context, count, size);                               \
    }                                                                                              \
    static void *name##_realloc(void *context, void *old, size_t size)                             \
    {                                                                                              \
        const struct allocator *under = layers_end_circle(context);                                \
        return under ? padded_realloc(under, old, size, domain)                                    \
                     : workers[domain].realloc(context, old, size);                                \
    }                                                                                              \
    static void name##_free(void *context, void *address)                                          \
    {                                                                                              \
        const struct allocator *under = layers_end_circle(context);                                \
        if (under) {                                                                               \
            padded_free(under, address, domain);                                                   \
        } else {                                                                                   \
            workers[domain].free(context, address);                                                \
        }                                                                                          \
    }

HOOKS_OF(raw, MT_DOMAIN_RAW)
HOOKS_OF(mem, MT_DOMAIN_MEM)
HOOKS_OF(obj, MT_DOMAIN_OBJ)

#define TABLE(name)                                                                                \
    {                                                                                              \
        NULL, name##_malloc, name##_calloc, name##_realloc, name##_free                            \
    }

static const struct allocator watching[3] = {TABLE(raw), TABLE(mem), TABLE(obj)};

bool debughooks_reach(int domain, const struct allocator *top)
{
    return layers_reach(top, &watching[domain]);
}

void debughooks_watch(int domain, struct allocator *hook)
{
    void *context = hook->context;
    workers[domain] = *hook;
    *hook = watching[domain];
    hook->context = context;
}
