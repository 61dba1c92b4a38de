/*
 * From a frame to its caller, by call frame information.  In the host, inside
 * malloc, perhaps in a signal handler; nothing of the stack is written, nothing is
 * read that has not been found readable.
 */
#ifndef AGENT_UNWIND_H
#define AGENT_UNWIND_H

#include <stdbool.h>
#include <stdint.h>

#include "cfi.h"
#include "thread.h"

/* Where a frame is, and its registers, as its callee found them. */
struct unwind_frame {
    uintptr_t ip, sp, bp;
    uintptr_t bp_at;     /* where bp was read from, 0 where it is that of the callee */
    bool is_interrupted; /* it was at ip; otherwise it will be returned to there */
    bool lacks_bp;       /* bp is not known */
};

/* What is remembered of an address. */
struct unwind_rule {
    uintptr_t key;
    int32_t offset, bp;
    uint8_t kind; /* enum cfi_kind */
    bool is_signal;
    uint8_t module_kind; /* for cmerge.c: with UNWIND_NO_MODULE it has not been looked for */
    uint32_t module;
};

#define UNWIND_NO_MODULE UINT8_MAX

/* Memory of a thread's stack that can be read. */
struct unwind_stack {
    uintptr_t low, high;
};

#define UNWIND_RULES 4096u

struct unwind {
    struct unwind_stack readable;
    struct unwind_rule rules[UNWIND_RULES];
};

/* The rule for a frame; it stays until the next call. */
static inline struct unwind_rule *unwind_rule(
    struct unwind *unwind, const struct unwind_frame *frame);
/* The caller of a frame by its rule; false if there is none, or it cannot be told. */
bool unwind_step(struct unwind *unwind, const struct unwind_rule *rule,
    const struct unwind_frame *frame, struct unwind_frame *caller);
/* True if 8 bytes there can be read. */
static inline bool unwind_readable(struct unwind_stack *stack, uintptr_t address);

/* Slow paths of the two. */
void unwind_learn(struct unwind_rule *rule, uintptr_t key, const struct unwind_frame *frame);
bool unwind_try(struct unwind_stack *stack, uintptr_t address);

#define UNWIND_INTERRUPTED (1ull << 63) /* in a key: the address is the instruction's own */

static inline struct unwind_rule *unwind_rule(
    struct unwind *unwind, const struct unwind_frame *frame)
{
    uintptr_t key = frame->is_interrupted ? frame->ip | UNWIND_INTERRUPTED : frame->ip;
    struct unwind_rule *rule = &unwind->rules[key * 0x9e3779b97f4a7c15ull >> 52];
    if (__builtin_expect(rule->key != key, 0)) {
        unwind_learn(rule, key, frame);
    }
    return rule;
}

static inline bool unwind_readable(struct unwind_stack *stack, uintptr_t address)
{
    if (__builtin_expect(address - stack->low < stack->high - stack->low, 1)) {
        return !(address % sizeof(uintptr_t));
    }
    return unwind_try(stack, address);
}

#endif
