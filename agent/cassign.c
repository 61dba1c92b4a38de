/*
 * Where native frames belong between the Python frames (cstack.h).  In the host,
 * inside malloc.
 *
 * Each run of the interpreter's evaluation loop is a native frame, and the Python
 * frames that it has entered are some neighbours on the Python stack.  Which ones:
 * from 3.12 on a shim on the Python stack lies in that native frame; in 3.11 the
 * loop's own record does; before, each Python frame has a loop of its own, which is
 * known by the address of its code.  The native frames above the loop, up to the
 * next one, were called from the last of its Python frames.
 *
 * What was found for the levels that have not changed since is looked at a run at a
 * time: the loop is where it was, and the same Python frames lead up to its last one.
 */
#include "cstack.h"

#include "elfsym.h"
#include "loaded.h"
#include "modules.h"
#include "peek.h"
#include "python.h"

/* The evaluation loop's code, for interpreters that have one loop for each Python frame. */
static struct {
    uintptr_t start, end;
} loop;

void cassign_setup(void)
{
    struct loaded object;
    uintptr_t function = (uintptr_t)elfsym_find("_PyEval_EvalFrameDefault");
    loop.start = loop.end = 0;
    if (function && loaded_find(function, &object)) {
        cfi_function(&object, function, &loop.start, &loop.end);
    }
}

/* ---- loops ---- */

/* The runs of the loop, innermost first. */
struct runs {
    struct thread *thread;
    int32_t top;      /* the last of its Python frames, as a level; -1: there is no more */
    int32_t entry;    /* the first, or its shim */
    uintptr_t place;  /* in its native frame; 0: not known */
    uintptr_t record; /* 3.11: the loop's, 0 in the first */
};

static bool has_shims(void)
{
    return python.offsets.owner_shim != PY_NO_OWNER;
}

static bool has_records(void)
{
    return !has_shims() && python.offsets.cframe_previous != PY_NO_OFFSET;
}

static bool finds_loops(void)
{
    return has_shims() || has_records() || loop.end;
}

static bool is_entry(const struct level *level)
{
    if (has_shims()) {
        return level->instruction == LEVEL_SHIM;
    }
    return !has_records() || peek8(level->frame + (uintptr_t)python.offsets.frame_is_entry);
}

/* Finds where the run of the frame `top` begins. */
static void find_entry(struct runs *runs)
{
    const struct level *levels = runs->thread->levels;
    int32_t at = runs->top;
    while (at > 0 && !is_entry(&levels[at])) {
        at--;
    }
    runs->entry = at;
    runs->place = 0;
    if (has_shims()) {
        runs->place = at >= 0 && is_entry(&levels[at]) ? levels[at].frame : 0;
    } else if (has_records()) {
        runs->place = runs->record;
    }
}

static struct runs first_run(struct thread *thread)
{
    struct runs runs = {.thread = thread, .top = (int32_t)thread->depth - 1};
    if (has_records()) {
        uintptr_t state = python_state(false);
        runs.record = state ? peek64(state + (uintptr_t)python.offsets.tstate_cframe) : 0;
    }
    find_entry(&runs);
    return runs;
}

/* From 3.15 on a thread's outermost frame is a shim that lies in no native frame. */
static bool is_base(const struct runs *runs)
{
    return runs->top == 0 && has_shims() && is_entry(&runs->thread->levels[0]);
}

static void next_run(struct runs *runs)
{
    runs->top = runs->entry - 1;
    if (is_base(runs)) {
        runs->top = -1;
    }
    if (runs->record) {
        runs->record = peek64(runs->record + (uintptr_t)python.offsets.cframe_previous);
    }
    if (runs->top >= 0) {
        find_entry(runs);
    }
}

uint32_t cassign_runs(const struct thread *thread)
{
    uint32_t hash = 0;
    if (!has_shims() && !has_records()) {
        return 0; /* each Python frame is one */
    }
    for (uint32_t i = 0; i < thread->depth; i++) {
        hash = is_entry(&thread->levels[i]) ? (hash + i + 1) * 0x9e3779b1u : hash;
    }
    return hash;
}

/* Is the frame that level `i` is returned to this run of the loop? */
static bool is_run(const struct cstack *stack, uint32_t i, const struct runs *runs)
{
    const struct unwind_frame *frame = &stack->levels[i].frame;
    if (runs->place) {
        uintptr_t end = i ? stack->levels[i - 1].frame.sp : frame->sp;
        return runs->place >= frame->sp && runs->place < end;
    }
    return !has_shims() && !has_records() && frame->ip - loop.start < loop.end - loop.start;
}

/* ---- modules ---- */

struct cstack_module cstack_module(
    struct thread *thread, struct cstack *stack, const struct cstack_level *level)
{
    struct unwind_rule *rule = unwind_rule(&stack->unwind, &level->frame);
    if (__builtin_expect(rule->module_kind == UNWIND_NO_MODULE, 0)) {
        const struct native_module *module = modules_find(thread, level->frame.ip);
        if (!module) {
            return (struct cstack_module){0, MODULE_NONE, false};
        }
        rule->module = module->number;
        rule->module_kind = module->kind;
    }
    return (struct cstack_module){rule->module, rule->module_kind, true};
}

static uint8_t kind_of(
    struct thread *thread, struct cstack *stack, const struct cstack_level *level)
{
    return cstack_module(thread, stack, level).kind;
}

/* ---- below Python's first loop ---- */

static bool is_foreign(
    struct thread *thread, struct cstack *stack, const struct cstack_level *level)
{
    uint8_t kind = kind_of(thread, stack, level);
    return !python_calls(level->frame.ip) && (kind == MODULE_OTHER || kind == MODULE_NONE);
}

/* How many of the outermost frames are main and what calls it, which begins in the program. */
static uint32_t skip_main(struct thread *thread, struct cstack *stack, uint32_t end)
{
    uint32_t i = 1;
    if (!end || kind_of(thread, stack, &stack->levels[0]) != MODULE_OTHER) {
        return 0;
    }
    while (i < end && kind_of(thread, stack, &stack->levels[i]) == MODULE_SYSTEM) {
        i++;
    }
    return i < end ? i + 1 : end;
}

/* Has other code than the interpreter's called it, whose first loop is level `first`?  With
   another loop among that code it is the stack of another coroutine. */
static bool has_foreign(struct thread *thread, struct cstack *stack, uint32_t first)
{
    bool found = false;
    for (uint32_t i = skip_main(thread, stack, first); i < first; i++) {
        if (stack->levels[i].frame.ip - loop.start < loop.end - loop.start) {
            return false;
        }
        found = found || is_foreign(thread, stack, &stack->levels[i]);
    }
    return found;
}

/* The outermost frame that counts of those below Python's first loop, which is level `first`. */
static uint32_t find_root(struct thread *thread, struct cstack *stack, uint32_t first)
{
    if (stack->merged <= first || stack->first != first) {
        stack->merged = 0;
        stack->first = first;
        stack->is_embedded = has_foreign(thread, stack, first);
        for (uint32_t i = 0; i < first; i++) {
            stack->levels[i].python = CSTACK_NO_PYTHON;
        }
    }
    if (!stack->is_embedded) {
        return first + 1;
    }
    if (first == stack->n - 1) {
        stack->levels[first].python = (int32_t)thread->depth - 1; /* the loop itself allocates */
        stack->merged = stack->merged < first ? stack->merged : first;
    }
    return 0;
}

bool cassign_is_cut(struct thread *thread, struct cstack *stack)
{
    return stack->is_cut && stack->n && kind_of(thread, stack, &stack->levels[0]) != MODULE_SYSTEM;
}

/* ---- the levels ---- */

/* The loop of this run, if the levels from it to just below `end` are said to be what they are. */
static bool is_assigned(
    const struct cstack *stack, uint32_t end, const struct runs *runs, uint32_t *at)
{
    const struct cstack_level *top = &stack->levels[end - 1];
    if (end > stack->merged || top->loop >= end || !is_run(stack, top->loop, runs)) {
        return false;
    }
    *at = top->loop;
    return stack->levels[*at].python == CSTACK_HIDDEN &&
           (*at == end - 1 ||
               (top->python == runs->top && top->above == runs->thread->levels[runs->top].node));
}

/* Goes from the innermost level outwards to the first loop; false if that is not there.  *begin is
   the outermost level above the loops. */
static bool assign_runs(struct cstack *stack, struct runs *runs, uint32_t *begin)
{
    uint32_t i = stack->n, at;
    *begin = i;
    while (i > 0 && runs->top >= 0) {
        if (is_assigned(stack, i, runs, &at)) {
            i = at;
            *begin = i + 1;
            next_run(runs);
            continue;
        }
        struct cstack_level *level = &stack->levels[--i];
        stack->merged = i < stack->merged ? i : stack->merged;
        level->python = runs->top;
        if (is_run(stack, i, runs)) {
            level->python = CSTACK_HIDDEN;
            *begin = i + 1;
            next_run(runs);
        }
    }
    return runs->top < 0;
}

/* Where the loops were not found: what lies above the interpreter's code is the innermost
   Python frame's. */
static uint32_t assign_last(struct thread *thread, struct cstack *stack)
{
    uint32_t i = stack->n;
    while (i > 0 && (i == stack->n || !python_calls(stack->levels[i - 1].frame.ip))) {
        stack->levels[--i].python = (int32_t)thread->depth - 1;
    }
    stack->is_partial = true;
    return i;
}

/* Some of the loops are out of sight. */
static uint32_t assign_rest(struct thread *thread, struct cstack *stack, uint32_t begin)
{
    stack->is_partial = true;
    if (finds_loops() && cassign_is_cut(thread, stack)) {
        return 0; /* the frames of those loops called what is there */
    }
    begin = has_shims() || has_records() ? begin : stack->n;
    return begin == stack->n ? assign_last(thread, stack) : begin;
}

static uint32_t assign_none(struct cstack *stack)
{
    for (uint32_t i = stack->merged; i < stack->n; i++) {
        stack->levels[i].python = CSTACK_NO_PYTHON;
    }
    return 0;
}

uint32_t cassign(struct thread *thread, struct cstack *stack, bool is_python)
{
    uint32_t begin;
    if (is_python != stack->is_python) {
        stack->is_python = is_python;
        stack->merged = 0;
    }
    stack->is_partial = false;
    if (!is_python) {
        return assign_none(stack);
    }
    struct runs runs = first_run(thread);
    if (!assign_runs(stack, &runs, &begin) || begin == 0) {
        return assign_rest(thread, stack, begin);
    }
    begin = find_root(thread, stack, begin - 1);
    return begin == stack->n ? assign_last(thread, stack) : begin;
}
