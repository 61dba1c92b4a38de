/*
 * The self-checking build (-Dselfcheck=true): each stack that comes out of the
 * cache is compared with a walk of all frames.  Other builds have none of it.
 */
#ifndef AGENT_SELFCHECK_H
#define AGENT_SELFCHECK_H

#include <stdint.h>

#include "cstack.h"
#include "thread.h"

#ifdef MEMTRACE_SELFCHECK
enum { SELFCHECK = true };
/* The node that pystack_node has just returned for this state: says on stderr how it differs. */
void selfcheck_stack(struct thread *thread, uintptr_t state, uint32_t node);
/* The same of the native stack. */
void selfcheck_native(struct cstack *stack, struct caller caller);
/* The node that was just found for its levels, with those of the levels that had not changed. */
void selfcheck_merge(struct thread *thread, struct cstack *stack, uint32_t parent);
/* The node of a stack that was remembered, and the one that was found by walking it. */
void selfcheck_recalled(uint32_t known, uint32_t node);
/* What tells a code object from a later one at its address. */
uint64_t selfcheck_code(uintptr_t address);
/* At exit: appends "pid checks differences" to the file that MEMTRACE_SELFCHECK_REPORT names. */
void selfcheck_report(void);
#else
enum { SELFCHECK = false };
static inline void selfcheck_stack(struct thread *thread, uintptr_t state, uint32_t node)
{
}
static inline void selfcheck_native(struct cstack *stack, struct caller caller)
{
}
static inline void selfcheck_merge(struct thread *thread, struct cstack *stack, uint32_t parent)
{
}
static inline void selfcheck_recalled(uint32_t known, uint32_t node)
{
}
static inline void selfcheck_report(void)
{
}
#endif

#endif
