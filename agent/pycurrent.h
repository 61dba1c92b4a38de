/*
 * Where the interpreter keeps the current thread's state: read out of its getter.
 * In the host's constructors and first malloc.
 */
#ifndef AGENT_PYCURRENT_H
#define AGENT_PYCURRENT_H

#include <stdbool.h>
#include <stdint.h>

/* A pointer at base + offset, where base is the thread's own address (the thread pointer) if
   base_mask is all ones, and 0 if it is 0. */
struct pycurrent {
    uintptr_t base_mask, offset;
};
/* Where it is not known: reads as 0. */
extern const struct pycurrent pycurrent_unknown __attribute__((visibility("hidden")));

/* What `getter` (PyThreadState_GetUnchecked, _PyThreadState_UncheckedGet) loads and returns, if
   its code is one of the few that compilers make of it.  The object that holds it is there from
   the program's start on. */
struct pycurrent pycurrent_find(const void *getter);

static inline uintptr_t pycurrent_load(const struct pycurrent *at)
{
    uintptr_t thread = (uintptr_t)__builtin_thread_pointer();
    return *(const volatile uintptr_t *)((thread & at->base_mask) + at->offset);
}

#endif
