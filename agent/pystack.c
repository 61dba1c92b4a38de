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

#include "intern.h"
#include "peek.h"
#include "python.h"
#include "sys.h"

#define LEVELS_START 128u
#define OWNER_THREAD 0u
#define FIRST_BYTE 2u /* 1 is what 3.8 to 3.10 have there, 0 what 3.14 has */

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

/* What a check goes by, and what it found. */
struct checked {
    struct thread *thread;
    bool trusted;    /* marks are */
    uintptr_t above; /* the frame above the one that the check begins with, 0 for the innermost */
    uint32_t first;  /* found: the level with the mark, from which on marks may be missing */
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

static inline bool is_called_from(const struct pyoffsets *py, uintptr_t frame, uintptr_t above)
{
    return above && peek8(frame + py->frame_owner) == OWNER_THREAD &&
           peek8(above + py->frame_owner) == OWNER_THREAD &&
           (py->frame_is_entry == PY_NO_OFFSET || !peek8(above + py->frame_is_entry));
}

/* The slot above a suspended frame's values, where what it called had been; 0 if the frame above
   was not called from there. */
static inline uintptr_t dead_slot(
    const struct pyoffsets *py, uintptr_t frame, int32_t stacktop, uintptr_t above)
{
    uintptr_t slot = frame + py->frame_localsplus + 8 * (uintptr_t)stacktop;
    return is_called_from(py, frame, above) && slot + 8 <= above ? slot : 0;
}

static inline __attribute__((always_inline)) bool is_marked_as(
    const struct thread *thread, uintptr_t frame, uintptr_t above, enum py_mark_kind kind)
{
    const struct pyoffsets *py = &python.offsets;
    switch (kind) {
    case PY_MARK_STACK: {
        int32_t stacktop = (int32_t)peek32(frame + py->frame_stacktop);
        if (stacktop < 0) {
            return stacktop == thread->mark_top;
        }
        uintptr_t slot = dead_slot(py, frame, stacktop, above);
        return slot && peek64(slot) == thread->mark_slot;
    }
    case PY_MARK_TRACE_LINES:
        return peek8(frame + py->frame_trace_lines) == thread->mark_byte;
    case PY_MARK_OWNER:
        return peek8(frame + py->frame_owner) == OWNER_THREAD &&
               peek8(frame + py->frame_owner + 1) == thread->mark_byte;
    default:
        return false;
    }
}

static inline bool is_marked(const struct thread *thread, uintptr_t frame, uintptr_t above)
{
    return is_marked_as(thread, frame, above, python.offsets.mark_kind);
}

static inline void mark_suspended(
    struct thread *thread, uintptr_t frame, int32_t stacktop, uintptr_t above)
{
    uintptr_t slot = dead_slot(&python.offsets, frame, stacktop, above);
    if (slot) {
        poke64(slot, thread->mark_slot);
    }
}

/* The frame was read just now, and is complete. */
static inline void mark(struct thread *thread, uintptr_t frame, uintptr_t above)
{
    const struct pyoffsets *py = &python.offsets;
    switch (py->mark_kind) {
    case PY_MARK_STACK: {
        int32_t stacktop = (int32_t)peek32(frame + py->frame_stacktop);
        if (stacktop >= 0) {
            mark_suspended(thread, frame, stacktop, above);
        } else if (peek8(frame + py->frame_owner) == OWNER_THREAD) {
            poke32(frame + py->frame_stacktop, (uint32_t)thread->mark_top);
        }
        break;
    }
    case PY_MARK_TRACE_LINES:
        if (peek8(frame + py->frame_trace_lines) && !peek64(frame + py->frame_gen)) {
            poke8(frame + py->frame_trace_lines, thread->mark_byte);
        }
        break;
    case PY_MARK_OWNER:
        if (peek8(frame + py->frame_owner) == OWNER_THREAD) {
            poke8(frame + py->frame_owner + 1, thread->mark_byte);
        }
        break;
    default:
        break;
    }
}

/* Shims and incomplete frames have no node of their own. */
static inline bool is_shown(const struct thread *thread, const struct level *level)
{
    return level->node != (level > thread->levels ? level[-1].node : 0);
}

/* Marks the levels from `first` up to the innermost one. */
static void mark_levels(struct thread *thread, uint32_t first)
{
    for (uint32_t i = first; i < thread->depth; i++) {
        const struct level *level = &thread->levels[i];
        if (is_shown(thread, level)) {
            mark(thread, level->frame, i + 1 < thread->depth ? level[1].frame : 0);
        }
    }
}

static inline bool may_mark(const struct thread *thread, uintptr_t state)
{
    const struct pyoffsets *py = &python.offsets;
    return (thread->mark_byte || py->mark_kind == PY_MARK_STACK) &&
           peek64(state + (uintptr_t)py->tstate_tracefunc) == 0;
}

/* ---- looking for what changed ---- */

/* What a level of each kind of interpreter compares: with code that dies known (intern_bury), an
   instruction's address says which code it is in; an offset does not. */
static inline bool unchanged(const struct pyoffsets *py, const struct level *level, bool pointers)
{
    if (pointers) {
        return peek64(level->frame + py->frame_instr) == level->instruction ||
               level->instruction == LEVEL_SHIM;
    }
    return peek32(level->frame + py->frame_instr) == (uint32_t)level->instruction &&
           peek64(level->frame + py->frame_code) == level->code;
}

static inline int32_t check_levels(struct checked *checked, int32_t from, bool pointers)
{
    const struct pyoffsets *py = &python.offsets;
    const struct thread *thread = checked->thread;
    uintptr_t above = checked->above;
    for (const struct level *level = &thread->levels[from];; level--) {
        uintptr_t below = level > thread->levels ? level[-1].frame : 0;
        if (!unchanged(py, level, pointers) ||
            __builtin_expect(peek64(level->frame + py->frame_back) != below, 0)) {
            return (int32_t)(level - thread->levels);
        }
        if (level == thread->levels ||
            (checked->trusted && is_marked(thread, level->frame, above))) {
            checked->first = (uint32_t)(level - thread->levels);
            return -1;
        }
        above = level->frame;
    }
}

/* Checks from a level whose frame is on the stack down to a mark, or to the root.  Returns the
   first level that changed, or above the one it should hang on; -1 if all is as it was. */
static inline int32_t check_down(struct checked *checked, int32_t from)
{
    return python.offsets.instr_kind == PY_INSTR_POINTER ? check_levels(checked, from, true)
                                                         : check_levels(checked, from, false);
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
static uint32_t collect(struct checked *checked, uintptr_t frame, uint32_t *n)
{
    struct thread *thread = checked->thread;
    checked->above = 0;
    checked->first = 0;
    while (frame) {
        int32_t level = find_level(thread, frame);
        if (level >= 0) {
            int32_t changed = check_down(checked, level);
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

/* A value that a frame at this place of its code has, and no frame of another code that lives. */
static inline uint64_t where_is(const struct pyoffsets *py, const struct level *level)
{
    return py->instr_kind == PY_INSTR_POINTER ? level->instruction
                                              : level->code ^ level->instruction << 48;
}

static inline struct memo *memo_of(struct thread *thread, uint64_t where, uint32_t parent)
{
    uint32_t hash = (uint32_t)where + parent * 0x9e3779b1u;
    return &thread->memos[(hash ^ hash >> 15) >> 1 & (THREAD_MEMOS - 1)];
}

/* Where lasti has more than 16 bits `where_is` is not enough. */
static inline bool may_remember(const struct pyoffsets *py, const struct level *level)
{
    return py->instr_kind == PY_INSTR_POINTER || level->instruction < UINT16_MAX;
}

/* Asks the trie; false if the frame does not show. */
static __attribute__((noinline)) bool intern_level(
    struct thread *thread, struct level *level, uint32_t parent)
{
    const struct pyoffsets *py = &python.offsets;
    const struct code *code = level->code ? intern_code(thread, level->code) : NULL;
    if (!code || is_incomplete(py, level, code)) {
        return false;
    }
    uint32_t node =
        intern_node(thread, parent, code->id, offset_of(py, level->instruction, code->base));
    bool is_plain = py->instr_kind != PY_INSTR_POINTER || level->instruction >= code->first;
    if (node != parent && is_plain && may_remember(py, level)) {
        uint64_t where = where_is(py, level);
        *memo_of(thread, where, parent) = (struct memo){where, parent, node};
    }
    level->node = node;
    return node != parent;
}

/* Finds the node of a level whose frame was read, above `parent`. */
static inline bool find_node(struct thread *thread, struct level *level, uint32_t parent)
{
    const struct pyoffsets *py = &python.offsets;
    uint64_t where = where_is(py, level);
    const struct memo *memo = memo_of(thread, where, parent);
    if (memo->where == where && memo->parent == parent && may_remember(py, level)) {
        level->node = memo->node;
        return true;
    }
    return intern_level(thread, level, parent);
}

/* Reads a frame into a level above the one with node `parent`. */
static void read_level(struct thread *thread, struct level *level, uintptr_t frame, uint32_t parent)
{
    const struct pyoffsets *py = &python.offsets;
    *level = (struct level){.frame = frame, .node = parent, .instruction = LEVEL_SHIM};
    if (is_shim(frame)) {
        return;
    }
    level->instruction = read_instruction(py, frame);
    level->code = peek64(frame + py->frame_code) & ~(uintptr_t)py->code_tag_mask;
    find_node(thread, level, parent);
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

static __attribute__((noinline)) uint32_t walk(struct thread *thread, uintptr_t frame, bool trusted)
{
    struct checked checked = {.thread = thread, .trusted = trusted};
    uint32_t n = 0, depth = collect(&checked, frame, &n);
    if (n && intern_is_full(thread, n)) {
        /* A full walk again: what was valid is not any more. */
        intern_reset(thread);
        n = 0;
        depth = collect(&checked, frame, &n);
    }
    uint32_t node = push_fresh(thread, depth, n);
    if (trusted) {
        mark_levels(thread, checked.first);
    }
    return node;
}

static __attribute__((noinline)) bool step_anew(struct thread *thread, struct level *level,
    uintptr_t instruction, uint32_t parent, uint32_t *node)
{
    struct level moved = {level->frame, instruction, level->code, 0};
    if (intern_is_full(thread, 1) || !intern_level(thread, &moved, parent)) {
        return false;
    }
    *level = moved;
    *node = moved.node;
    return true;
}

/* The innermost activation is the one that was last seen: it may have moved on, no more. */
static inline __attribute__((always_inline)) bool step(
    struct thread *thread, uintptr_t frame, enum py_mark_kind kind, uint32_t *node)
{
    const struct pyoffsets *py = &python.offsets;
    struct level *level = &thread->levels[thread->depth - 1];
    if (level->frame != frame || !is_marked_as(thread, frame, 0, kind)) {
        return false;
    }
    bool is_pointer = kind != PY_MARK_TRACE_LINES;
    uintptr_t instruction =
        is_pointer ? peek64(frame + py->frame_instr) : peek32(frame + py->frame_instr);
    *node = level->node;
    if (instruction == level->instruction) {
        return true;
    }
    uint32_t parent = thread->depth > 1 ? level[-1].node : 0;
    uint64_t where = is_pointer ? instruction : level->code ^ instruction << 48;
    const struct memo *memo = memo_of(thread, where, parent);
    if (__builtin_expect(memo->where == where && memo->parent == parent &&
                             (is_pointer || instruction < UINT16_MAX),
            1)) {
        level->instruction = instruction;
        *node = level->node = memo->node;
        return true;
    }
    return step_anew(thread, level, instruction, parent, node);
}

static inline __attribute__((always_inline)) uint32_t node_of(
    struct thread *thread, uintptr_t state, enum py_mark_kind kind)
{
    uint32_t node;
    uintptr_t frame = top_frame(state);
    bool trusted = may_mark(thread, state);
    if (__builtin_expect(trusted && thread->depth, 1) && step(thread, frame, kind, &node)) {
        return node;
    }
    return walk(thread, frame, trusted);
}

uint32_t pystack_node(struct thread *thread, uintptr_t state)
{
    if (!state) {
        return 0;
    }
    if (__builtin_expect(intern_deaths_pending(thread), 0)) {
        intern_bury(thread);
    }
    switch (python.offsets.mark_kind) {
    case PY_MARK_STACK:
        return node_of(thread, state, PY_MARK_STACK);
    case PY_MARK_OWNER:
        return node_of(thread, state, PY_MARK_OWNER);
    case PY_MARK_TRACE_LINES:
        return node_of(thread, state, PY_MARK_TRACE_LINES);
    default:
        return walk(thread, top_frame(state), false);
    }
}
