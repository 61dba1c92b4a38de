/*
 * Which native code called the allocator, as a node on top of the Python stack.
 * In the host, inside malloc.
 */
#ifndef AGENT_NATIVE_H
#define AGENT_NATIVE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "thread.h"

struct caller {
    uintptr_t address; /* that the hook returns to */
    uintptr_t stack;   /* its stack pointer then */
};

/* In a hook itself, not in a function that it calls. */
#define NATIVE_CALLER                                                                              \
    ((struct caller){(uintptr_t)__builtin_return_address(0), (uintptr_t)__builtin_dwarf_cfa()})

#define NATIVE_FULL UINT32_MAX /* no node before the trie is reset */

/* How often the loader has freed something: it does when it unloads an object, so that its
   addresses may become another's. */
extern _Atomic uint32_t native_unloads __attribute__((visibility("hidden")));
extern struct native_loader {
    uintptr_t start, size; /* its code */
} native_loader __attribute__((visibility("hidden")));

/* Whole stacks are wanted, not the callers alone. */
extern bool native_whole __attribute__((visibility("hidden")));

void native_setup(void);
void native_discard(struct thread *thread);
/* What native_node has not at hand. */
uint32_t native_find(struct thread *thread, uint32_t parent, struct caller caller);
/* The node of a frame that is returned to at `address`; the parent where there is no room. */
uint32_t native_make_node(struct thread *thread, uint32_t parent, uintptr_t address);
/* The same where the number of its module is known. */
uint32_t native_node_in(struct thread *thread, uint32_t parent, uint32_t module, uintptr_t address);

static inline struct native_site *native_slot(
    struct thread *thread, uint32_t parent, uintptr_t address)
{
    uint64_t key = (address ^ (uint64_t)parent << 40) * 0x9e3779b97f4a7c15ull;
    return &thread->native.sites[key >> 56];
}

static inline bool native_is_at(
    const struct thread *thread, const struct native_site *site, uint32_t parent, uintptr_t address)
{
    uint32_t unloads = atomic_load_explicit(&native_unloads, memory_order_relaxed);
    return site->address == address && site->parent == parent && thread->native.unloads == unloads;
}

/* The node of `caller` on top of the Python stack `parent`. */
static inline uint32_t native_node(struct thread *thread, uint32_t parent, struct caller caller)
{
    if (__builtin_expect(native_whole, 0)) {
        return native_find(thread, parent, caller);
    }
    const struct native_site *site = native_slot(thread, parent, caller.address);
    if (__builtin_expect(native_is_at(thread, site, parent, caller.address), 1)) {
        return site->node;
    }
    return native_find(thread, parent, caller);
}

static inline bool native_is_loader(struct caller caller)
{
    return caller.address - native_loader.start < native_loader.size;
}

static inline void native_note_free(struct caller caller)
{
    if (__builtin_expect(native_is_loader(caller), 0)) {
        atomic_fetch_add(&native_unloads, 1);
    }
}

#endif
