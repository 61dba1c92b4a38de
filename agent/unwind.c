/*
 * Steps of a walk over native frames (unwind.h).  In the host, inside malloc.
 *
 * The table of an object is looked at once for each address; then a step is a few
 * loads.  Tables may be wrong where code was written by hand: memory is tried
 * with a system call, a page at a time, before the first read of it.
 */
#include "unwind.h"

#include "codeframe.h"
#include "peek.h"
#include "registers.h"
#include "sys.h"

#define PAGE ((uintptr_t)4096)
#define WORD sizeof(uintptr_t)

/* ---- memory ---- */

__attribute__((noinline)) bool unwind_try(struct unwind_stack *stack, uintptr_t address)
{
    uintptr_t page = address & ~(PAGE - 1);
    if (address % WORD || !sys_is_readable(page)) {
        return false;
    }
    if (page == stack->high) {
        stack->high += PAGE;
    } else if (page + PAGE == stack->low) {
        stack->low = page;
    } else {
        stack->low = page;
        stack->high = page + PAGE;
    }
    return true;
}

static bool read_word(struct unwind *unwind, uintptr_t address, uintptr_t *value)
{
    if (!unwind_readable(&unwind->readable, address)) {
        return false;
    }
    *value = peek64(address);
    return true;
}

/* ---- rules ---- */

/* A return address stands behind its call, perhaps in the next function. */
static void describe(const struct unwind_frame *frame, struct cfi *cfi)
{
    struct loaded object;
    *cfi = (struct cfi){.kind = CFI_NONE};
    if (loaded_find(frame->ip, &object)) {
        cfi_find(&object, frame->is_interrupted ? frame->ip : frame->ip - 1, cfi);
    }
}

__attribute__((noinline)) void unwind_learn(
    struct unwind_rule *rule, uintptr_t key, const struct unwind_frame *frame)
{
    struct cfi cfi;
    describe(frame, &cfi);
    *rule = (struct unwind_rule){.key = key,
        .offset = cfi.offset,
        .bp = cfi.bp,
        .kind = cfi.kind,
        .is_signal = cfi.is_signal,
        .module_kind = UNWIND_NO_MODULE};
}

/* ---- steps ---- */

/* By all that the tables say, as far as three registers go. */
static __attribute__((noinline)) bool step_slowly(
    struct unwind *unwind, const struct unwind_frame *frame, struct unwind_frame *caller)
{
    struct registers registers = {.is_interrupted = frame->is_interrupted};
    registers_set(&registers, CFI_RETURN, frame->ip);
    registers_set(&registers, CFI_STACK_POINTER, frame->sp);
    registers_set(&registers, CFI_FRAME_POINTER, frame->bp);
    if (!registers_step(&unwind->readable, &registers)) {
        return false;
    }
    *caller = registers_frame(&registers);
    return true;
}

bool unwind_step(struct unwind *unwind, const struct unwind_rule *rule,
    const struct unwind_frame *frame, struct unwind_frame *caller)
{
    uintptr_t top = frame->sp;
    switch (rule->kind) {
    case CFI_SP:
        break;
    case CFI_BP:
        top = frame->bp;
        break;
    case CFI_SAVED:
        if (!read_word(unwind, frame->bp + (uintptr_t)(intptr_t)rule->offset, &top)) {
            return false;
        }
        top -= (uintptr_t)(intptr_t)rule->offset;
        break;
    case CFI_OTHER:
        return step_slowly(unwind, frame, caller);
    case CFI_NONE:
        return codeframe_step(&unwind->readable, frame, caller);
    default:
        return false;
    }
    top += (uintptr_t)(intptr_t)rule->offset;
    *caller = (struct unwind_frame){.sp = top, .bp = frame->bp, .lacks_bp = frame->lacks_bp};
    if (top <= frame->sp || !read_word(unwind, top - WORD, &caller->ip) || !caller->ip) {
        return false;
    }
    if (rule->bp) {
        caller->lacks_bp = false;
        caller->bp_at = top + (uintptr_t)(intptr_t)rule->bp;
        return read_word(unwind, caller->bp_at, &caller->bp);
    }
    return true;
}
