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

#include "activation.h"
#include "intern.h"
#include "peek.h"
#include "pymarks.h"
#include "python.h"
#include "sys.h"

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

static uint32_t hint_of(uintptr_t frame)
{
    return (uint32_t)(frame >> 4 ^ frame >> 13) % THREAD_HINTS;
}

/* What a check goes by, and what it found. */
struct checked {
    struct thread *thread;
    uintptr_t above; /* the frame above the one that the check begins with, 0 for the innermost */
    uint32_t marked; /* found: the levels from here on may have no mark */
    bool trusted;    /* marks are */
};

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

/* ---- marks ---- */

/* Shims and incomplete frames have no node of their own. */
static inline bool is_shown(const struct level *level)
{
    return level->node != level[-1].node;
}

/* Marks the levels from `first` up to the innermost one. */
FAST void mark_levels(struct thread *thread, uint32_t first, enum py_mark_kind kind)
{
    for (uint32_t i = first; i < thread->depth; i++) {
        const struct level *level = &thread->levels[i];
        if (is_shown(level)) {
            pymarks_set(thread, level->frame, i + 1 < thread->depth ? level[1].frame : 0, kind);
        }
    }
}

/* ---- looking for what changed ---- */

/* With code that dies known (intern_bury), an instruction's address says which code it is in; an
   offset does not, nor an address in a copy, which may go before the code does. */
FAST bool is_unchanged(const struct level *level, enum py_mark_kind kind)
{
    const struct pyoffsets *py = &python.offsets;
    if (activation_has_pointers(kind)) {
        return (peek64(level->frame + py->frame_instr) == level->instruction &&
                   (!activation_has_copies(kind) ||
                       activation_code(level->frame) == level->code)) ||
               level->instruction == LEVEL_SHIM;
    }
    return peek32(level->frame + py->frame_instr) == (uint32_t)level->instruction &&
           peek64(level->frame + py->frame_code) == level->code;
}

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

static __attribute__((noinline)) bool grow_fresh(struct thread *thread)
{
    size_t size = thread->fresh_capacity * sizeof(uintptr_t);
    uintptr_t *grown = sys_grow_private(thread->fresh, size, 2 * size);
    if (grown) {
        thread->fresh = grown;
        thread->fresh_capacity *= 2;
    }
    return grown != NULL;
}

FAST bool add_fresh(struct thread *thread, uint32_t *n, uintptr_t frame)
{
    if (__builtin_expect(*n == thread->fresh_capacity, 0) && !grow_fresh(thread)) {
        return false;
    }
    thread->fresh[(*n)++] = frame;
    return true;
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

static inline bool is_shim(uintptr_t frame)
{
    const struct pyoffsets *py = &python.offsets;
    return py->owner_shim != PY_NO_OWNER && peek8(frame + py->frame_owner) >= py->owner_shim;
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

static inline uintptr_t read_instruction(const struct pyoffsets *py, uintptr_t frame)
{
    return py->instr_kind == PY_INSTR_POINTER ? peek64(frame + py->frame_instr)
                                              : peek32(frame + py->frame_instr);
}

/* ---- nodes ---- */

/* Asks the trie; false if the frame does not show. */
static __attribute__((noinline)) bool intern_level(
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
    uint32_t node = intern_node(thread, parent, code->id, offset_of(py, level->instruction, start));
    uint64_t where = activation_where(level->frame, level->code, level->instruction, py->mark_kind);
    if (node != parent && !is_early && where != NOWHERE) {
        *activation_memo(thread, where, parent, py->mark_kind) = (struct memo){where, parent, node};
    }
    level->node = node;
    return node != parent;
}

/* Reads a frame into a level above the one with node `parent`. */
FAST void read_level(struct thread *thread, struct level *level, uintptr_t frame, uint32_t parent,
    enum py_mark_kind kind)
{
    const struct pyoffsets *py = &python.offsets;
    level->frame = frame;
    level->node = parent;
    if (is_shim(frame)) {
        level->instruction = LEVEL_SHIM;
        return;
    }
    level->instruction = activation_has_pointers(kind) ? peek64(frame + py->frame_instr)
                                                       : peek32(frame + py->frame_instr);
    if (!activation_has_pointers(kind) || activation_has_copies(kind)) {
        level->code = activation_code(frame); /* other instructions say what code it is */
    }
    uint64_t where = activation_where(frame, level->code, level->instruction, kind);
    const struct memo *memo = activation_memo(thread, where, parent, kind);
    if (memo->where == where && memo->parent == parent) {
        level->node = memo->node;
    } else {
        intern_level(thread, level, parent);
    }
}

static inline bool make_room(struct thread *thread, uint32_t depth)
{
    while (depth >= thread->levels_capacity) {
        size_t size = thread->levels_capacity * sizeof(struct level);
        struct level *grown = sys_grow_private(thread->levels - 1, size, 2 * size);
        if (!grown) {
            return false;
        }
        thread->levels = grown + 1;
        thread->levels_capacity *= 2;
    }
    return true;
}

/* The levels above `depth`, from the n fresh frames; the node of the innermost. */
FAST uint32_t push_fresh(struct thread *thread, uint32_t depth, uint32_t n, enum py_mark_kind kind)
{
    if (!make_room(thread, depth + n)) {
        thread_set_depth(thread, 0);
        return 0;
    }
    uint32_t node = thread->levels[(intptr_t)depth - 1].node;
    while (n) {
        struct level *level = &thread->levels[depth];
        read_level(thread, level, thread->fresh[--n], node, kind);
        thread->hints[hint_of(level->frame)] = depth++;
        node = level->node;
    }
    thread_set_depth(thread, depth);
    return node;
}

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

/* ---- calls and returns ---- */

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

/* The first of the levels up to `last` that has moved, or may be of another activation by now;
   LEVEL_NONE where one hangs on another than it did.  `above` is the frame above the last one. */
FAST int32_t find_moved(
    const struct thread *thread, int32_t last, uintptr_t above, enum py_mark_kind kind)
{
    int32_t moved = last + 1;
    for (int32_t i = last; i >= 0; i--) {
        const struct level *level = &thread->levels[i];
        bool is_same = pymarks_has(thread, level->frame, above, kind);
        bool is_in_place =
            peek64(level->frame + python.offsets.frame_back) == frame_below(thread, level);
        if (!is_in_place) {
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

/* A level whose activation is the same brought to where that one is now, if the node is at hand. */
FAST bool follow(struct thread *thread, struct level *level, enum py_mark_kind kind)
{
    if (is_unchanged(level, kind)) {
        return true;
    }
    uintptr_t instruction = activation_has_pointers(kind)
                                ? peek64(level->frame + python.offsets.frame_instr)
                                : peek32(level->frame + python.offsets.frame_instr);
    uint32_t parent = level[-1].node;
    uint64_t where = activation_where(level->frame, level->code, instruction, kind);
    const struct memo *memo = activation_memo(thread, where, parent, kind);
    if (memo->where != where || memo->parent != parent) {
        return false;
    }
    level->instruction = instruction;
    level->node = memo->node;
    return true;
}

FAST bool is_in_place(const struct thread *thread, const struct level *level)
{
    return peek64(level->frame + python.offsets.frame_back) == frame_below(thread, level);
}

/* True if its activation is the same; then it is brought to where that one is now. */
FAST bool stands(
    struct thread *thread, struct level *level, uintptr_t above, enum py_mark_kind kind)
{
    return pymarks_has(thread, level->frame, above, kind) && is_in_place(thread, level) &&
           follow(thread, level, kind);
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
    if (intern_is_full(thread, 1) || !intern_level(thread, &moved, level[-1].node)) {
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
