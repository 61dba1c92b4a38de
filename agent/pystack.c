/*
 * The frame walk (pystack.h).  In the host, inside malloc, in the thread whose
 * frames these are: they stand still while we look.
 *
 * The stack as last seen is kept, root first.  A walk looks for the innermost
 * frame that is in it, checks that everything below is unchanged and re-interns
 * what lies above.  An equal frame alone proves nothing, since frames are
 * reused: `a = f()` and `b = f()` on two lines look alike from f.  While
 * checking, the next frame is taken from the cache and then compared with the
 * one that was read, so that no load has to wait for the one before.
 *
 * A check need not go down to the root.  Each activation that was read is marked,
 * in a place that every push of a frame resets and that nothing reads while the
 * frame is there: as long as the mark stands it is the same activation, and what is below it
 * cannot have moved.  Where the marks are, see enum py_mark_kind.  They are
 * not trusted while a trace function is set: a debugger's jump moves a frame in
 * the middle of the stack.
 *
 * Frames that Python does not show (C-stack shims, frames still being set up)
 * are levels too, with the node of the level below.
 */
#include "pystack.h"

#include "codelines.h"
#include "pylevels.h"

#define LEVELS_START 128u /* one of them stands below the root */
#define NO_FRAME 1u       /* its frame */
#define FIRST_BYTE 2u     /* 1 is what 3.8 to 3.10 have there, 0 what 3.14 has */

/* Each cache knows its own marks from those of others over the same frames. */
static void choose_marks(struct thread *thread)
{
    static _Atomic uint32_t used;
    uint32_t number = atomic_fetch_add(&used, 1);
    thread->mark_byte = number < UINT8_MAX - FIRST_BYTE ? (uint8_t)(FIRST_BYTE + number) : 0;
    thread->mark_top = -2 - (int32_t)(number % INT32_MAX / 2);
    thread->mark_slot = (uintptr_t)thread | 1;
}

bool pystack_setup(struct thread *thread)
{
    choose_marks(thread);
    thread->levels_capacity = thread->fresh_capacity = LEVELS_START;
    struct level *levels = sys_map_private(LEVELS_START * sizeof(*levels));
    thread->fresh = sys_map_private(LEVELS_START * sizeof(uintptr_t));
    if (levels) {
        levels->frame = NO_FRAME;
        thread->top = levels;
        thread->levels = thread->top + 1;
    }
    return thread->levels && thread->fresh;
}

void pystack_discard(struct thread *thread)
{
    if (thread->levels) {
        sys_unmap(thread->levels - 1, thread->levels_capacity * sizeof(struct level));
    }
    if (thread->fresh) {
        sys_unmap(thread->fresh, thread->fresh_capacity * sizeof(uintptr_t));
    }
}

void pystack_forget(struct thread *thread)
{
    thread_set_depth(thread, 0);
}

/* What a check goes by, and what it found. */
struct checked {
    struct thread *thread;
    uintptr_t above; /* the frame above the one that the check begins with, 0 for the innermost */
    uint32_t marked; /* found: the levels from here on may have no mark */
    bool trusted;    /* marks are */
};

/* ---- looking for what changed ---- */

/* Checks from a level whose frame is on the stack down to a mark, or to the root.  Returns the
   first level that changed, or above the one it should hang on; -1 if all is as it was. */
FAST int32_t check_down(struct checked *checked, int32_t from, enum py_mark_kind kind)
{
    const struct pyoffsets *py = &python.offsets;
    const struct thread *thread = checked->thread;
    uintptr_t above = checked->above;
    for (int32_t i = from;; i--) {
        const struct level *level = &thread->levels[i];
        uintptr_t below = i ? level[-1].frame : 0;
        if (!is_unchanged(level, kind) || peek64(level->frame + py->frame_back) != below) {
            return i;
        }
        bool is_proof = checked->trusted && pymarks_has(thread, level->frame, above, kind);
        if (is_proof || !i) {
            checked->marked = (uint32_t)i + is_proof;
            return -1;
        }
        above = level->frame;
    }
}

__attribute__((noinline)) bool pylevels_grow_fresh(struct thread *thread)
{
    size_t size = thread->fresh_capacity * sizeof(uintptr_t);
    uintptr_t *grown = sys_grow_private(thread->fresh, size, 2 * size);
    if (grown) {
        thread->fresh = grown;
        thread->fresh_capacity *= 2;
    }
    return grown != NULL;
}

/* Collects the frames above what is still valid; returns the number of valid levels. */
FAST uint32_t collect(struct checked *checked, uintptr_t frame, uint32_t *n, enum py_mark_kind kind)
{
    struct thread *thread = checked->thread;
    checked->above = 0;
    checked->marked = 0;
    while (frame) {
        int32_t level = find_level(thread, frame);
        if (level >= 0) {
            int32_t changed = check_down(checked, level, kind);
            if (changed < 0) {
                return (uint32_t)level + 1;
            }
            for (; level > changed; level--) {
                if (!add_fresh(thread, n, thread->levels[level].frame)) {
                    return 0;
                }
            }
            frame = thread->levels[changed].frame;
        }
        if (!add_fresh(thread, n, frame)) {
            return 0;
        }
        checked->above = frame;
        frame = peek64(frame + python.offsets.frame_back);
    }
    return 0;
}

/* Of the bytecode that the frame runs. */
static uintptr_t start_of(
    const struct pyoffsets *py, const struct level *level, const struct code *code)
{
    return py->code_copies == PY_NO_OFFSET ? code->base
                                           : activation_bytecode(level->frame, level->code);
}

/* Bytes from the start of the code. */
static inline uint32_t offset_of(const struct pyoffsets *py, uintptr_t instruction, uintptr_t base)
{
    switch (py->instr_kind) {
    case PY_INSTR_POINTER:
        return (uint32_t)(instruction - base);
    case PY_INSTR_LASTI_UNITS:
        return (int32_t)instruction < 0 ? UINT32_MAX : (uint32_t)instruction * 2;
    default:
        return (uint32_t)instruction;
    }
}

/* ---- nodes ---- */

/* Asks the trie; false if the frame does not show. */
__attribute__((noinline)) bool pylevels_intern(
    struct thread *thread, struct level *level, uint32_t parent)
{
    const struct pyoffsets *py = &python.offsets;
    level->code = activation_code(level->frame);
    const struct code *code = level->code ? intern_code(thread, level->code) : NULL;
    uintptr_t start = code ? start_of(py, level, code) : 0;
    if (!code || (!start && py->instr_kind == PY_INSTR_POINTER)) {
        return false;
    }
    bool is_early = py->instr_kind == PY_INSTR_POINTER &&
                    (intptr_t)(level->instruction - start) < (intptr_t)(code->first - code->base);
    if (is_early && peek8(level->frame + py->frame_owner) != py->owner_generator) {
        return false;
    }
    uint64_t where = activation_where(level->frame, level->code, level->instruction, py->mark_kind);
    uint32_t offset = offset_of(py, level->instruction, start);
    uint32_t node =
        intern_node(thread, parent, code->id, codelines_first(thread, code, offset));
    if (node != parent && !is_early && where != NOWHERE) {
        *activation_memo(thread, where, parent, py->mark_kind) = (struct memo){where, parent, node};
    }
    level->node = node;
    return node != parent;
}

/* ---- the walk ---- */

FAST uint32_t walk_as(struct thread *thread, uintptr_t frame, bool trusted, enum py_mark_kind kind)
{
    struct checked checked = {.thread = thread, .trusted = trusted};
    uint32_t n = 0, depth = collect(&checked, frame, &n, kind);
    if (__builtin_expect(n && intern_is_full(thread, n), 0)) {
        intern_reset(thread); /* what was valid is not any more: all frames again */
        depth = 0;
        checked.marked = 0;
        for (n = 0; frame && add_fresh(thread, &n, frame);) {
            frame = peek64(frame + python.offsets.frame_back);
        }
    }
    uint32_t node = push_fresh(thread, depth, n, kind);
    if (trusted) {
        mark_levels(thread, checked.marked, kind);
    }
    return node;
}

static __attribute__((noinline)) uint32_t walk(
    struct thread *thread, uintptr_t frame, bool trusted, enum py_mark_kind kind)
{
    switch (kind) {
    case PY_MARK_STACK:
        return walk_as(thread, frame, trusted, PY_MARK_STACK);
    case PY_MARK_OWNER:
        return walk_as(thread, frame, trusted, PY_MARK_OWNER);
    case PY_MARK_OWNER_COPIES:
        return walk_as(thread, frame, trusted, PY_MARK_OWNER_COPIES);
    case PY_MARK_TRACE_LINES:
        return walk_as(thread, frame, trusted, PY_MARK_TRACE_LINES);
    default:
        return walk_as(thread, frame, false, PY_MARK_NONE);
    }
}

uint32_t pystack_node(struct thread *thread, uintptr_t state)
{
    if (!state) {
        return 0;
    }
    if (__builtin_expect(intern_deaths_pending(thread), 0)) {
        intern_bury(thread);
    }
    uint32_t node;
    enum py_mark_kind kind = python.offsets.mark_kind;
    uintptr_t frame = activation_innermost(state, kind);
    bool trusted = activation_may_mark(thread, state, kind);
    if (trusted &&
        (activation_step(thread, frame, kind, &node) || pystack_hop(thread, state, &node))) {
        return node;
    }
    return walk(thread, frame, trusted, kind);
}
