/*
 * Walking the native stack (cstack.h).  In the host, inside malloc.
 *
 * The stack as last seen is kept, root first.  A walk steps from the hook's
 * caller outwards until it comes to a frame that it knows: the same address to
 * return to in the same place, and the same frame pointer where one of its
 * callers is found by that.  Then everything that the steps from there on would
 * read is compared with what they read the last time; if nothing differs, they
 * would find the same frames.  Only what is new is stepped through.
 */
#include "cstack.h"

#include <string.h>

#include "intern.h"
#include "modules.h"
#include "peek.h"
#include "registers.h"
#include "selfcheck.h"
#include "sys.h"

#define LEVELS_START 256u
#define LEVELS_MAX 16384u /* of a deeper stack the innermost alone are kept */
#define AGENT_STEPS 16
#define MODULES_ROOM 512u

void cstack_setup(void)
{
    cmerge_setup();
}

static struct cstack *make(struct thread *thread)
{
    struct cstack *stack = sys_map_private(sizeof(*stack));
    if (!stack) {
        return NULL;
    }
    stack->capacity = LEVELS_START;
    stack->levels = sys_map_private(LEVELS_START * sizeof(*stack->levels));
    stack->fresh = sys_map_private(LEVELS_START * sizeof(*stack->fresh));
    thread->native.stack = stack;
    return stack;
}

void cstack_discard(struct thread *thread)
{
    struct cstack *stack = thread->native.stack;
    if (!stack) {
        return;
    }
    if (stack->levels) {
        sys_unmap(stack->levels, stack->capacity * sizeof(*stack->levels));
    }
    if (stack->fresh) {
        sys_unmap(stack->fresh, stack->capacity * sizeof(*stack->fresh));
    }
    sys_unmap(stack, sizeof(*stack));
    thread->native.stack = NULL;
}

void cstack_forget(struct thread *thread)
{
    struct cstack *stack = thread->native.stack;
    if (stack) {
        stack->n = 0;
        stack->unwind.readable = (struct unwind_stack){0, 0};
        crecall_forget(&stack->recall);
    }
}

void cstack_distrust(struct thread *thread)
{
    struct cstack *stack = thread->native.stack;
    if (stack) {
        stack->n = 0;
        memset(stack->unwind.rules, 0, sizeof(stack->unwind.rules));
        crecall_forget(&stack->recall);
    }
}

/* ---- levels ---- */

static bool grow(struct cstack *stack)
{
    size_t size = stack->capacity * sizeof(*stack->levels);
    struct cstack_level *levels = sys_grow_private(stack->levels, size, 2 * size);
    if (!levels) {
        return false;
    }
    stack->levels = levels;
    struct cstack_level *fresh = sys_grow_private(stack->fresh, size, 2 * size);
    if (!fresh) {
        return false; /* what `levels` has more is given back with the rest of the process */
    }
    stack->fresh = fresh;
    stack->capacity *= 2;
    return true;
}

static bool add_fresh(
    struct cstack *stack, const struct unwind_frame *frame, const struct unwind_rule *rule)
{
    if (stack->n + stack->n_fresh == stack->capacity &&
        (stack->capacity >= LEVELS_MAX || !grow(stack))) {
        return false;
    }
    stack->fresh[stack->n_fresh++] =
        (struct cstack_level){.frame = *frame, .kind = rule->kind, .loop = CSTACK_NO_LOOP};
    return true;
}

static bool uses_bp(const struct cstack_level *level)
{
    return level->kind != CFI_SP && level->kind != CFI_END;
}

/* What was collected goes on top of what stays. */
static void push_fresh(struct cstack *stack)
{
    while (stack->n_fresh) {
        struct cstack_level *level = &stack->levels[stack->n];
        *level = stack->fresh[--stack->n_fresh];
        bool below = stack->n && level[-1].needs_bp && !level[-1].frame.bp_at;
        level->needs_bp = below || uses_bp(level);
        stack->n++;
    }
}

/* ---- what is as it was ---- */

static bool is_same(const struct cstack_level *level, const struct unwind_frame *frame)
{
    return level->frame.sp == frame->sp && level->frame.ip == frame->ip &&
           level->frame.is_interrupted == frame->is_interrupted &&
           (!level->needs_bp || (level->frame.bp == frame->bp && !frame->lacks_bp));
}

/* From a level that is as it was to its caller: would a step find the same? */
static bool leads_to(
    struct cstack *stack, const struct cstack_level *level, const struct cstack_level *caller)
{
    bool is_plain = level->kind == CFI_SP || level->kind == CFI_BP;
    if (__builtin_expect(is_plain, 1) || level->kind == CFI_NONE) {
        return peek64(caller->frame.sp - sizeof(uintptr_t)) == caller->frame.ip &&
               (!caller->needs_bp || !caller->frame.bp_at ||
                   peek64(caller->frame.bp_at) == caller->frame.bp);
    }
    struct unwind_frame found;
    const struct unwind_rule *rule = unwind_rule(&stack->unwind, &level->frame);
    return unwind_step(&stack->unwind, rule, &level->frame, &found) && is_same(caller, &found);
}

static bool is_unchanged(struct cstack *stack, uint32_t from)
{
    for (uint32_t i = from; i > 0; i--) {
        if (!leads_to(stack, &stack->levels[i], &stack->levels[i - 1])) {
            return false;
        }
    }
    return true;
}

/* Drops what has been returned from; true if the frame is the innermost of what is left, and all
   below it is unchanged. */
static bool joins(struct cstack *stack, const struct unwind_frame *frame)
{
    while (stack->n && stack->levels[stack->n - 1].frame.sp < frame->sp) {
        stack->n--;
    }
    if (!stack->n || !is_same(&stack->levels[stack->n - 1], frame)) {
        return false;
    }
    if (is_unchanged(stack, stack->n - 1)) {
        stack->levels[stack->n - 1].frame = *frame; /* its frame pointer may be elsewhere now */
        return true;
    }
    stack->n = 0;
    return false;
}

/* ---- the walk ---- */

/* The hook's caller, with its registers: the frames of the agent itself are stepped out of. */
static struct unwind_frame find_caller(
    struct cstack *stack, struct caller caller, const uintptr_t *own)
{
    struct unwind_frame frame = {
        .ip = own[1], .sp = (uintptr_t)(own + 2), .bp = own[0], .bp_at = (uintptr_t)own};
    for (int steps = 0; steps < AGENT_STEPS && frame.sp < caller.stack; steps++) {
        struct unwind_frame callee = frame;
        const struct unwind_rule *rule = unwind_rule(&stack->unwind, &callee);
        if (!unwind_step(&stack->unwind, rule, &callee, &frame)) {
            break;
        }
    }
    bool found = frame.sp == caller.stack && frame.ip == caller.address;
    return found ? frame : (struct unwind_frame){.ip = caller.address, .sp = caller.stack};
}

/* What a walk came to. */
enum outcome { ARRIVED, NEEDS_BP, NEEDS_ALL };

static enum outcome needs(struct cstack *stack, enum outcome outcome)
{
    stack->n_fresh = 0;
    stack->is_odd = false;
    return outcome;
}

/* Steps outwards from the hook's caller up to what is known.  If a frame is found by its frame
   pointer and that is not known, or by another register, it says so, with nothing collected. */
static enum outcome collect(struct cstack *stack, struct unwind_frame frame)
{
    while (!joins(stack, &frame)) {
        struct unwind_frame callee = frame;
        const struct unwind_rule *rule = unwind_rule(&stack->unwind, &frame);
        if (__builtin_expect(frame.lacks_bp && rule->kind != CFI_SP && rule->kind != CFI_END, 0)) {
            return needs(stack, NEEDS_BP);
        }
        if (!add_fresh(stack, &frame, rule)) {
            stack->is_odd = true;
            break;
        }
        if (!unwind_step(&stack->unwind, rule, &callee, &frame)) {
            if (rule->kind == CFI_OTHER) {
                return needs(stack, NEEDS_ALL);
            }
            stack->n = 0; /* this is the root */
            stack->is_cut = rule->kind == CFI_NONE;
            break;
        }
        if (frame.sp <= callee.sp) { /* a handler's on a stack of its own, or damage */
            stack->is_odd = true;
            if (!rule->is_signal) {
                break;
            }
            stack->n = 0;
        }
    }
    if (stack->is_odd) {
        stack->n = 0;
        stack->is_cut = false;
    }
    return ARRIVED;
}

/* The hook's caller, as find_caller finds it, with all its registers. */
static bool step_to_caller(struct cstack *stack, struct caller caller, struct registers *frame)
{
    *frame = registers_here();
    for (int steps = 0; steps < AGENT_STEPS; steps++) {
        if (!registers_step(&stack->unwind.readable, frame)) {
            return false;
        }
        if (frame->values[CFI_STACK_POINTER] >= caller.stack) {
            return frame->values[CFI_STACK_POINTER] == caller.stack &&
                   frame->values[CFI_RETURN] == caller.address;
        }
    }
    return false;
}

/* The whole stack, following every register.  What these were is not known the next time, so
   nothing of it is kept. */
static __attribute__((noinline)) void collect_all(struct cstack *stack, struct caller caller)
{
    struct registers registers;
    bool more = step_to_caller(stack, caller, &registers);
    stack->n = 0;
    stack->is_cut = false;
    while (more) {
        struct unwind_frame frame = registers_frame(&registers);
        const struct unwind_rule *rule = unwind_rule(&stack->unwind, &frame);
        more = add_fresh(stack, &frame, rule);
        if (more && !registers_step(&stack->unwind.readable, &registers)) {
            stack->is_cut = rule->kind == CFI_NONE || rule->kind == CFI_OTHER;
            break;
        }
        more = more && (registers.values[CFI_STACK_POINTER] > frame.sp || rule->is_signal);
    }
    stack->is_odd = stack->n_fresh > 0;
}

/* The caller's frame pointer need not be known where no frame is found by it. */
static bool is_on_top(struct cstack *stack, struct caller caller)
{
    const struct cstack_level *top = &stack->levels[stack->n - 1];
    return stack->n && !top->needs_bp && top->frame.sp == caller.stack &&
           top->frame.ip == caller.address && is_unchanged(stack, stack->n - 1);
}

/* Brings the levels up to date; false if they are what they were. */
static __attribute__((noinline)) bool walk(struct cstack *stack, struct caller caller)
{
    uint32_t before = stack->n;
    if (is_on_top(stack, caller)) {
        return false;
    }
    struct unwind_frame frame = {.ip = caller.address, .sp = caller.stack, .lacks_bp = true};
    enum outcome outcome = collect(stack, frame);
    if (outcome == NEEDS_BP) {
        frame = find_caller(stack, caller, __builtin_frame_address(0));
        outcome = collect(stack, frame);
    }
    if (__builtin_expect(outcome != ARRIVED, 0)) {
        collect_all(stack, caller);
    }
    bool changed = stack->n_fresh || stack->n != before;
    stack->merged = stack->n < stack->merged ? stack->n : stack->merged;
    push_fresh(stack);
    return changed;
}

uintptr_t cstack_caller_bp(struct cstack *stack, struct caller caller)
{
    return find_caller(stack, caller, __builtin_frame_address(0)).bp;
}

/* The node of the levels as they are now. */
static uint32_t merge(struct thread *thread, struct cstack *stack, const struct crecall_key *key)
{
    if (modules_are_many(&thread->native, MODULES_ROOM) ||
        intern_is_full(thread, stack->n + (key->parent ? thread->depth : 0))) {
        stack->n = 0;
        return NATIVE_FULL;
    }
    stack->key = *key;
    stack->node = cmerge_node(thread, stack, key->parent);
    selfcheck_merge(thread, stack, key->parent);
    if (stack->is_odd) {
        stack->n = 0;
        stack->is_odd = false;
    } else {
        crecall_note(stack, key, stack->node);
    }
    return stack->node;
}

uint32_t cstack_node(struct thread *thread, uint32_t parent, struct caller caller)
{
    struct cstack *stack = thread->native.stack ? thread->native.stack : make(thread);
    if (!stack || !stack->levels || !stack->fresh) {
        return parent;
    }
    struct crecall_key key = {caller, parent, thread->depth, parent ? cassign_runs(thread) : 0};
    uint32_t known = crecall_find(stack, &key), node;
    if (known && !SELFCHECK) {
        return known;
    }
    bool changed = walk(stack, caller);
    selfcheck_native(stack, caller);
    if (!changed && crecall_is_same(&key, &stack->key)) {
        node = stack->node;
    } else if (!stack->n && !stack->is_odd) {
        node = parent;
    } else {
        node = merge(thread, stack, &key);
    }
    selfcheck_recalled(known, node);
    return node;
}
