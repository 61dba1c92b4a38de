/*
 * Stacks as nodes of a trie, code objects as numbers: a bounded cache for each
 * thread, whose contents are defined in the thread's ring before their first
 * use.  Runs in the host, inside malloc.
 */
#ifndef AGENT_INTERN_H
#define AGENT_INTERN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "thread.h"

extern _Atomic uint64_t intern_deaths __attribute__((visibility("hidden"))); /* of codes so far */

bool intern_setup(struct thread *thread);
void intern_discard(struct thread *thread);

/* The node for code's instruction (bytes from the start of its bytecode, -1 before; one for each
   line, codelines.h) under parent.  Returns parent where there is no room for another. */
uint32_t intern_node(
    struct thread *thread, uint32_t parent, uint32_t code_id, uint32_t instruction);

/* The entry of a code object, defining it if it is new; NULL where it cannot be read. */
const struct code *intern_code(struct thread *thread, uintptr_t address);

/* True when the cache has outgrown its share, or has no number for as many more nodes, and should
   be reset at a quiet moment. */
static inline bool intern_is_full(struct thread *thread, uint32_t more);
/* Forgets all nodes and codes, here and in the collector.  The cached stack goes with them. */
void intern_reset(struct thread *thread);

/* A code object is about to be freed: no thread may take a new one at its address for it. */
void intern_code_dies(uintptr_t address);
/* Frees were missed: nothing that is cached can be trusted. */
void intern_distrust(void);
/* Takes note of codes that died since the thread last looked; true if its cached stack may
   hold one of them and was dropped. */
void intern_bury(struct thread *thread);
static inline bool intern_deaths_pending(const struct thread *thread);

/* Slow path of intern_is_full. */
bool intern_count(struct thread *thread, uint32_t more);

static inline bool intern_deaths_pending(const struct thread *thread)
{
    return thread->deaths_seen != atomic_load_explicit(&intern_deaths, memory_order_acquire);
}

static inline bool intern_is_full(struct thread *thread, uint32_t more)
{
    return __builtin_expect(thread->n_nodes + more > thread->nodes_checked, 0) &&
           intern_count(thread, more);
}

#endif
