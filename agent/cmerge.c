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
 * Frames of the interpreter itself are left out, and so are main and the C library's
 * below its first loop, so that a stack begins with its Python frames; unless code of the
 * program or of a library called into Python there, as from a thread of its own.  The
 * frame that called the allocator stays, whatever it is; but the C++ runtime stands for
 * its caller, as in native.c.
 */
#include "cstack.h"

#include "elfsym.h"
#include "intern.h"
#include "loaded.h"
#include "modules.h"
#include "peek.h"
#include "python.h"

/* The evaluation loop's code, for interpreters that have one loop for each Python frame. */
static struct {
    uintptr_t start, end;
} loop;

void cmerge_setup(void)
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

static struct runs first_run(struct thread *thread, bool is_python)
{
    struct runs runs = {.thread = thread, .top = is_python ? (int32_t)thread->depth - 1 : -1};
    if (is_python && has_records()) {
        uintptr_t state = python_state(false);
        runs.record = state ? peek64(state + (uintptr_t)python.offsets.tstate_cframe) : 0;
    }
    find_entry(&runs);
    return runs;
}

static void next_run(struct runs *runs)
{
    runs->top = runs->entry - 1;
    if (runs->record) {
        runs->record = peek64(runs->record + (uintptr_t)python.offsets.cframe_previous);
    }
    if (runs->top >= 0) {
        find_entry(runs);
    }
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

static bool is_interpreters(const struct cstack_level *level)
{
    return python_calls(level->frame.ip);
}

static uint8_t kind_of(struct thread *thread, const struct cstack_level *level)
{
    const struct native_module *module = modules_find(thread, level->frame.ip);
    return module ? module->kind : (uint8_t)MODULE_NONE;
}

static bool is_foreign(struct thread *thread, const struct cstack_level *level)
{
    uint8_t kind = kind_of(thread, level);
    return !is_interpreters(level) && (kind == MODULE_OTHER || kind == MODULE_NONE);
}

/* How many of the outermost frames are main and what calls it, which begins in the program. */
static uint32_t skip_main(struct thread *thread, const struct cstack *stack, uint32_t end)
{
    uint32_t i = 1;
    if (!end || kind_of(thread, &stack->levels[0]) != MODULE_OTHER) {
        return 0;
    }
    while (i < end && kind_of(thread, &stack->levels[i]) == MODULE_SYSTEM) {
        i++;
    }
    return i < end ? i + 1 : end;
}

/* The outermost frame that counts of those below Python's first loop, which is level `first`: with
   another loop among them it is the stack of another coroutine. */
static uint32_t find_root(struct thread *thread, const struct cstack *stack, uint32_t first)
{
    bool has_foreign = false;
    for (uint32_t i = skip_main(thread, stack, first); i < first; i++) {
        if (stack->levels[i].frame.ip - loop.start < loop.end - loop.start) {
            return first + 1;
        }
        has_foreign = has_foreign || is_foreign(thread, &stack->levels[i]);
    }
    if (!has_foreign) {
        return first + 1;
    }
    for (uint32_t i = 0; i < first; i++) {
        stack->levels[i].python = CSTACK_NO_PYTHON;
    }
    if (first == stack->n - 1) {
        stack->levels[first].python = (int32_t)thread->depth - 1; /* the loop itself allocates */
    }
    return 0;
}

/* Is more below the outermost frame than is there?  The C library itself has stacks that begin so. */
static bool is_cut(struct thread *thread, const struct cstack *stack)
{
    return stack->is_cut && stack->n && kind_of(thread, &stack->levels[0]) != MODULE_SYSTEM;
}

/* Says of each native frame from which Python frame it was called; returns the outermost that
   counts. */
static uint32_t assign(struct thread *thread, const struct cstack *stack, bool is_python)
{
    struct runs runs = first_run(thread, is_python);
    uint32_t begin = is_python ? stack->n : 0;
    for (uint32_t i = stack->n; i-- > 0 && (runs.top >= 0 || !is_python);) {
        struct cstack_level *level = &stack->levels[i];
        level->python = runs.top;
        if (is_python && is_run(stack, i, &runs)) {
            level->python = CSTACK_HIDDEN;
            begin = i + 1;
            next_run(&runs);
        }
    }
    if (is_python && begin && runs.top < 0) {
        return find_root(thread, stack, begin - 1);
    }
    if (is_python && finds_loops() && is_cut(thread, stack)) {
        return 0; /* the frames of the loops that are out of sight called what is there */
    }
    return is_python && !has_shims() && !has_records() ? stack->n : begin;
}

/* Where the loops were not found: what lies above the interpreter's code is the innermost
   Python frame's. */
static uint32_t assign_last(struct thread *thread, const struct cstack *stack)
{
    uint32_t i = stack->n;
    while (i > 0 && (i == stack->n || !is_interpreters(&stack->levels[i - 1]))) {
        stack->levels[--i].python = (int32_t)thread->depth - 1;
    }
    return i;
}

/* ---- nodes ---- */

/* The node while it grows from the root. */
struct merged {
    struct thread *thread;
    uint32_t node;
    int32_t python; /* the Python frames up to this level are in it */
    bool differs;   /* from the Python stack's own node there */
};

static void add_python(struct merged *merged, int32_t top)
{
    struct thread *thread = merged->thread;
    if (!merged->differs) {
        merged->node = top >= 0 ? thread->levels[top].node : 0;
        merged->python = top;
        return;
    }
    while (merged->python < top) {
        const struct level *level = &thread->levels[++merged->python];
        if (level->node != (merged->python ? level[-1].node : 0)) {
            uint64_t key = thread->nodes[level->node].key;
            merged->node = intern_node(thread, merged->node, (uint32_t)(key >> 32), (uint32_t)key);
        }
    }
}

/* Where the stack was cut. */
#define CUT ((uintptr_t)0)

static void add_native(struct merged *merged, uintptr_t address)
{
    merged->node = native_make_node(merged->thread, merged->node, address);
    merged->differs = true;
}

/* The frame that stands for the call of the allocator. */
static uint32_t find_caller(struct thread *thread, const struct cstack *stack, uint32_t begin)
{
    const struct cstack_level *levels = stack->levels;
    uint32_t last = stack->n - 1, i = last;
    uint8_t kind = kind_of(thread, &levels[i]);
    while (kind == MODULE_CXX_RUNTIME && i > begin && levels[i - 1].python == levels[last].python) {
        kind = kind_of(thread, &levels[--i]);
    }
    return kind == MODULE_OTHER ? i : last;
}

uint32_t cmerge_node(struct thread *thread, const struct cstack *stack, uint32_t parent)
{
    struct merged merged = {.thread = thread, .python = -1};
    bool is_python = parent != 0;
    uint32_t begin = assign(thread, stack, is_python);
    if (begin == stack->n && stack->n) {
        begin = assign_last(thread, stack);
    }
    uint32_t caller = stack->n > begin ? find_caller(thread, stack, begin) : begin;
    if (begin == 0 && is_cut(thread, stack) && stack->levels[0].python != CSTACK_HIDDEN) {
        add_python(&merged, stack->levels[0].python);
        add_native(&merged, CUT);
    }
    for (uint32_t i = begin; i < stack->n && i <= caller; i++) {
        const struct cstack_level *level = &stack->levels[i];
        if (level->python != CSTACK_HIDDEN && (i == caller || !is_interpreters(level))) {
            add_python(&merged, level->python);
            add_native(&merged, level->frame.ip);
        }
    }
    if (is_python) {
        add_python(&merged, (int32_t)thread->depth - 1);
    }
    return merged.node;
}
