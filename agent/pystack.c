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
 * Frames that Python does not show (C-stack shims, frames still being set up)
 * are levels too, with the node of the level below.
 */
#include "pystack.h"

#include "intern.h"
#include "peek.h"
#include "python.h"
#include "sys.h"

#define LEVELS_START 128u
#define SHIM 1u /* instruction of a level that is a shim: nothing else may be read there */

bool pystack_setup(struct thread *thread)
{
    thread->levels_capacity = thread->fresh_capacity = LEVELS_START;
    thread->levels = sys_map_private(LEVELS_START * sizeof(struct level));
    thread->fresh = sys_map_private(LEVELS_START * sizeof(uintptr_t));
    return thread->levels && thread->fresh;
}

void pystack_discard(struct thread *thread)
{
    if (thread->levels) {
        sys_unmap(thread->levels, thread->levels_capacity * sizeof(struct level));
    }
    if (thread->fresh) {
        sys_unmap(thread->fresh, thread->fresh_capacity * sizeof(uintptr_t));
    }
}

void pystack_forget(struct thread *thread)
{
    thread->depth = 0;
}

static uintptr_t top_frame(uintptr_t state)
{
    const struct pyoffsets *py = &python.offsets;
    if (py->tstate_cframe == PY_NO_OFFSET) {
        return peek64(state + py->tstate_frame);
    }
    uintptr_t cframe = peek64(state + py->tstate_cframe);
    return cframe ? peek64(cframe + py->cframe_frame) : 0;
}

static uint32_t hint_of(uintptr_t frame)
{
    return (uint32_t)(frame >> 4 ^ frame >> 13) % THREAD_HINTS;
}

/* The cached level of a frame, or -1. */
static int32_t find_level(const struct thread *thread, uintptr_t frame)
{
    uint32_t depth = thread->depth;
    if (depth && thread->levels[depth - 1].frame == frame) {
        return (int32_t)depth - 1;
    }
    uint32_t hint = thread->hints[hint_of(frame)];
    return hint < depth && thread->levels[hint].frame == frame ? (int32_t)hint : -1;
}

/* What a level of each kind of interpreter compares: with code that dies known (intern_bury), an
   instruction's address says which code it is in; an offset does not. */
static inline bool unchanged(const struct pyoffsets *py, const struct level *level, bool pointers)
{
    if (pointers) {
        return peek64(level->frame + py->frame_instr) == level->instruction ||
               level->instruction == SHIM;
    }
    return peek32(level->frame + py->frame_instr) == (uint32_t)level->instruction &&
           peek64(level->frame + py->frame_code) == level->code;
}

static inline int32_t check_levels(const struct thread *thread, int32_t from, bool pointers)
{
    const struct pyoffsets *py = &python.offsets;
    for (const struct level *level = &thread->levels[from];; level--) {
        uintptr_t below = level > thread->levels ? level[-1].frame : 0;
        if (!unchanged(py, level, pointers) ||
            __builtin_expect(peek64(level->frame + py->frame_back) != below, 0)) {
            return (int32_t)(level - thread->levels);
        }
        if (level == thread->levels) {
            return -1;
        }
    }
}

/* Checks from a level whose frame is on the stack down to the root.  Returns the first level
   that changed, or above the one it should hang on; -1 if all is as it was. */
static inline int32_t check_down(const struct thread *thread, int32_t from)
{
    return python.offsets.instr_kind == PY_INSTR_POINTER ? check_levels(thread, from, true)
                                                         : check_levels(thread, from, false);
}

static bool add_fresh(struct thread *thread, uint32_t *n, uintptr_t frame)
{
    if (*n == thread->fresh_capacity) {
        size_t size = *n * sizeof(uintptr_t);
        uintptr_t *grown = sys_grow_private(thread->fresh, size, 2 * size);
        if (!grown) {
            return false;
        }
        thread->fresh = grown;
        thread->fresh_capacity *= 2;
    }
    thread->fresh[(*n)++] = frame;
    return true;
}

/* Collects the frames above what is still valid; returns the number of valid levels. */
static uint32_t collect(struct thread *thread, uintptr_t frame, uint32_t *n)
{
    while (frame) {
        int32_t level = find_level(thread, frame);
        if (level >= 0) {
            int32_t changed = check_down(thread, level);
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
        frame = peek64(frame + python.offsets.frame_back);
    }
    return 0;
}

static bool is_shim(uintptr_t frame)
{
    const struct pyoffsets *py = &python.offsets;
    return py->owner_shim != PY_NO_OWNER && peek8(frame + py->frame_owner) >= py->owner_shim;
}

static bool is_incomplete(
    const struct pyoffsets *py, const struct level *level, const struct code *code)
{
    return py->instr_kind == PY_INSTR_POINTER && level->instruction < code->first &&
           peek8(level->frame + py->frame_owner) != py->owner_generator;
}

/* Bytes from the start of the code. */
static uint32_t offset_of(
    const struct pyoffsets *py, const struct level *level, const struct code *code)
{
    switch (py->instr_kind) {
    case PY_INSTR_POINTER:
        return (uint32_t)(level->instruction - code->base);
    case PY_INSTR_LASTI_UNITS:
        return (int32_t)level->instruction < 0 ? UINT32_MAX : (uint32_t)level->instruction * 2;
    default:
        return (uint32_t)level->instruction;
    }
}

/* Reads a frame into a level above the one with node `parent`. */
static void read_level(struct thread *thread, struct level *level, uintptr_t frame, uint32_t parent)
{
    const struct pyoffsets *py = &python.offsets;
    *level = (struct level){.frame = frame, .node = parent, .instruction = SHIM};
    if (is_shim(frame)) {
        return;
    }
    level->instruction = py->instr_kind == PY_INSTR_POINTER ? peek64(frame + py->frame_instr)
                                                            : peek32(frame + py->frame_instr);
    level->code = peek64(frame + py->frame_code) & ~(uintptr_t)py->code_tag_mask;
    const struct code *code = level->code ? intern_code(thread, level->code) : NULL;
    if (code && !is_incomplete(py, level, code)) {
        level->code_id = code->id;
        level->node = intern_node(thread, parent, code->id, offset_of(py, level, code));
    }
}

static bool make_room(struct thread *thread, uint32_t depth)
{
    while (depth > thread->levels_capacity) {
        size_t size = thread->levels_capacity * sizeof(struct level);
        struct level *grown = sys_grow_private(thread->levels, size, 2 * size);
        if (!grown) {
            return false;
        }
        thread->levels = grown;
        thread->levels_capacity *= 2;
    }
    return true;
}

/* The levels above `depth`, from the n fresh frames; the node of the innermost. */
static uint32_t push_fresh(struct thread *thread, uint32_t depth, uint32_t n)
{
    if (!make_room(thread, depth + n)) {
        thread->depth = 0;
        return 0;
    }
    uint32_t node = depth ? thread->levels[depth - 1].node : 0;
    while (n) {
        struct level *level = &thread->levels[depth];
        read_level(thread, level, thread->fresh[--n], node);
        thread->hints[hint_of(level->frame)] = depth++;
        node = level->node;
    }
    thread->depth = depth;
    return node;
}

static __attribute__((noinline)) uint32_t walk(struct thread *thread, uintptr_t frame)
{
    uint32_t n = 0, depth = collect(thread, frame, &n);
    if (n && intern_is_full(thread, n)) {
        /* A full walk again: what was valid is not any more. */
        intern_reset(thread);
        n = 0;
        depth = collect(thread, frame, &n);
    }
    return push_fresh(thread, depth, n);
}

uint32_t pystack_node(struct thread *thread, uintptr_t state)
{
    if (!state) {
        return 0;
    }
    if (__builtin_expect(intern_deaths_pending(thread), 0)) {
        intern_bury(thread);
    }
    uintptr_t frame = top_frame(state);
    uint32_t depth = thread->depth;
    if (depth && thread->levels[depth - 1].frame == frame &&
        check_down(thread, (int32_t)depth - 1) < 0) {
        return thread->levels[depth - 1].node;
    }
    return walk(thread, frame);
}
