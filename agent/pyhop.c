/*
 * The short ways of the frame walk (pystack.h): functions have been called, or have returned, since
 * the stack was last seen, and what is below them stands by its marks (pystack.c).  In the host,
 * inside malloc, in the thread whose frames these are.
 */
#include "pylevels.h"
#include "pystack.h"

/* The frame of the level below, 0 below the root. */
FAST uintptr_t frame_below(const struct thread *thread, const struct level *level)
{
    return level > thread->levels ? level[-1].frame : 0;
}

/* Puts the innermost frames into `fresh`, up to the first one that hangs on a frame which is in a
   level: that level.  -1 if the last one is the root, LEVEL_NONE where there is no room. */
#define LEVEL_NONE -2
FAST int32_t climb(struct thread *thread, uintptr_t frame, uint32_t *n)
{
    for (int32_t level = -1;; frame = peek64(frame + python.offsets.frame_back)) {
        if (!add_fresh(thread, n, frame)) {
            return LEVEL_NONE;
        }
        uintptr_t back = peek64(frame + python.offsets.frame_back);
        level = back ? find_level(thread, back) : -1;
        if (level >= 0 || !back) {
            return level;
        }
    }
}

FAST bool is_in_place(const struct thread *thread, const struct level *level)
{
    return peek64(level->frame + python.offsets.frame_back) == frame_below(thread, level);
}

/* The first of the levels up to `last` that has moved, or may be of another activation by now;
   LEVEL_NONE where one hangs on another than it did.  `above` is the frame above the last one. */
FAST int32_t find_moved(
    const struct thread *thread, int32_t last, uintptr_t above, enum py_mark_kind kind)
{
    int32_t moved = last + 1;
    for (int32_t i = last; i >= 0; i--) {
        const struct level *level = &thread->levels[i];
        bool is_same = pymarks_has(thread, level->frame, above, kind);
        if (!is_in_place(thread, level)) {
            return LEVEL_NONE;
        }
        if (is_same && is_unchanged(level, kind)) {
            return moved;
        }
        moved = i;
        if (is_same) {
            return moved;
        }
        above = level->frame;
    }
    return moved;
}

/* Functions have been called, or have returned, since the stack was last seen.  Marks are trusted:
   the frames that are looked at are those down to the first one that has its mark.  False where
   that is not enough. */
FAST bool hop_as(struct thread *thread, uintptr_t frame, uint32_t *node, enum py_mark_kind kind)
{
    uint32_t n = 0;
    int32_t last = climb(thread, frame, &n);
    int32_t moved =
        last == LEVEL_NONE ? LEVEL_NONE : find_moved(thread, last, thread->fresh[n - 1], kind);
    if (moved == LEVEL_NONE || intern_is_full(thread, (uint32_t)(last + 1 - moved) + n)) {
        return false;
    }
    struct level *level = thread->levels + moved;
    for (; level <= thread->levels + last; level++) {
        read_level(thread, level, level->frame, level[-1].node, kind);
    }
    *node = push_fresh(thread, (uint32_t)(last + 1), n, kind);
    mark_levels(thread, (uint32_t)moved, kind);
    return true;
}

static __attribute__((noinline)) bool hop(
    struct thread *thread, uintptr_t frame, enum py_mark_kind kind, uint32_t *node)
{
    switch (kind) {
    case PY_MARK_STACK:
        return hop_as(thread, frame, node, PY_MARK_STACK);
    case PY_MARK_OWNER:
        return hop_as(thread, frame, node, PY_MARK_OWNER);
    case PY_MARK_OWNER_COPIES:
        return hop_as(thread, frame, node, PY_MARK_OWNER_COPIES);
    case PY_MARK_TRACE_LINES:
        return hop_as(thread, frame, node, PY_MARK_TRACE_LINES);
    default:
        return false;
    }
}

/* One of the innermost levels, if it has that frame: what calls now called before, or has returned
   to where it was called. */
#define NEAR 3
FAST struct level *find_near(const struct thread *thread, uintptr_t frame)
{
    struct level *level = thread->top;
    for (int i = 0; i < NEAR && level >= thread->levels; i++, level--) {
        if (level->frame == frame) {
            return level;
        }
    }
    return NULL;
}

/* True if its activation is the same; then it is brought to where that one is now. */
FAST bool stands(
    struct thread *thread, struct level *level, uintptr_t above, enum py_mark_kind kind)
{
    return pymarks_has(thread, level->frame, above, kind) && is_in_place(thread, level) &&
           (is_unchanged(level, kind) || activation_follow(thread, level, kind));
}

/* Reads and marks a level above one that stands; its node. */
FAST uint32_t read_and_mark(struct thread *thread, struct level *level, uintptr_t frame,
    uintptr_t above, enum py_mark_kind kind)
{
    read_level(thread, level, frame, level[-1].node, kind);
    if (is_shown(level)) {
        pymarks_set(thread, frame, above, kind);
    }
    return level->node;
}

/* The usual hop: one frame that was not there, on one that stands, or on one that has been returned
   to meanwhile and was called by one that stands. */
FAST bool hop_one(struct thread *thread, uintptr_t frame, uint32_t *node, enum py_mark_kind kind)
{
    struct level *below = find_near(thread, peek64(frame + python.offsets.frame_back));
    uint32_t depth = below ? (uint32_t)(below - thread->levels) + 2 : UINT32_MAX;
    if (depth >= thread->levels_capacity || intern_is_full(thread, 2)) {
        return false;
    }
    if (!stands(thread, below, frame, kind)) {
        if (below == thread->levels || !is_in_place(thread, below) ||
            !stands(thread, below - 1, below->frame, kind)) {
            return false;
        }
        read_and_mark(thread, below, below->frame, frame, kind);
    }
    thread->hints[hint_of(frame)] = depth - 1;
    thread_set_depth(thread, depth);
    *node = read_and_mark(thread, thread->top, frame, 0, kind);
    return true;
}

/* The innermost activation is the one that was last seen, but where it is now is not at hand. */
static bool step_anew(
    struct thread *thread, uintptr_t frame, enum py_mark_kind kind, uint32_t *node)
{
    struct level *level = thread->top;
    if (level->frame != frame || !activation_is_marked(thread, frame, kind)) {
        return false;
    }
    struct level moved = {.frame = frame, .instruction = read_instruction(&python.offsets, frame)};
    if (intern_is_full(thread, 1) || !pylevels_intern(thread, &moved, level[-1].node)) {
        return false;
    }
    *level = moved;
    *node = moved.node;
    return true;
}

FAST bool hop_from(struct thread *thread, uintptr_t state, uint32_t *node, enum py_mark_kind kind)
{
    uintptr_t frame = activation_innermost(state, kind);
    return activation_may_mark(thread, state, kind) && frame &&
           (hop_one(thread, frame, node, kind) || step_anew(thread, frame, kind, node) ||
               hop(thread, frame, kind, node));
}

bool pystack_hop(struct thread *thread, uintptr_t state, uint32_t *node)
{
    switch (python.offsets.mark_kind) {
    case PY_MARK_STACK:
        return hop_from(thread, state, node, PY_MARK_STACK);
    case PY_MARK_OWNER:
        return hop_from(thread, state, node, PY_MARK_OWNER);
    case PY_MARK_OWNER_COPIES:
        return hop_from(thread, state, node, PY_MARK_OWNER_COPIES);
    case PY_MARK_TRACE_LINES:
        return hop_from(thread, state, node, PY_MARK_TRACE_LINES);
    default:
        return false;
    }
}
