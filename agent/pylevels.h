/*
 * The levels of the Python stack as last seen (thread.h): looking for one, reading one, marking
 * them; for the walk of all frames (pystack.c) and for the short ways (pyhop.c), which these are
 * inlined into.  In the host, inside malloc, in the thread whose frames these are.
 */
#ifndef AGENT_PYLEVELS_H
#define AGENT_PYLEVELS_H

#include <stdbool.h>
#include <stdint.h>

#include "activation.h"
#include "intern.h"
#include "peek.h"
#include "pymarks.h"
#include "python.h"
#include "sys.h"
#include "thread.h"

/* Asks the trie for the node of a level; false if its frame does not show. */
bool pylevels_intern(struct thread *thread, struct level *level, uint32_t parent);
/* Makes room for more frames that are not yet in a level; false if there is none. */
bool pylevels_grow_fresh(struct thread *thread);

static inline uint32_t hint_of(uintptr_t frame)
{
    return (uint32_t)(frame >> 4 ^ frame >> 13) % THREAD_HINTS;
}

/* The cached level of a frame, or -1. */
static inline int32_t find_level(const struct thread *thread, uintptr_t frame)
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

/* ---- reading ---- */

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

FAST bool add_fresh(struct thread *thread, uint32_t *n, uintptr_t frame)
{
    if (__builtin_expect(*n == thread->fresh_capacity, 0) && !pylevels_grow_fresh(thread)) {
        return false;
    }
    thread->fresh[(*n)++] = frame;
    return true;
}

static inline bool is_shim(uintptr_t frame)
{
    const struct pyoffsets *py = &python.offsets;
    return py->owner_shim != PY_NO_OWNER && peek8(frame + py->frame_owner) >= py->owner_shim;
}

static inline uintptr_t read_instruction(const struct pyoffsets *py, uintptr_t frame)
{
    return py->instr_kind == PY_INSTR_POINTER ? peek64(frame + py->frame_instr)
                                              : peek32(frame + py->frame_instr);
}

/* Reads a frame into a level above the one with node `parent`. */
FAST void read_level(struct thread *thread, struct level *level, uintptr_t frame, uint32_t parent,
    enum py_mark_kind kind)
{
    level->frame = frame;
    level->node = parent;
    if (is_shim(frame)) {
        level->instruction = LEVEL_SHIM;
        return;
    }
    level->instruction = activation_instruction(frame, kind);
    if (!activation_has_pointers(kind) || activation_has_copies(kind)) {
        level->code = activation_code(frame); /* other instructions say what code it is */
    }
    uint64_t where = activation_where(frame, level->code, level->instruction, kind);
    const struct memo *memo = activation_memo(thread, where, parent, kind);
    if (memo->where == where && memo->parent == parent) {
        level->node = memo->node;
    } else {
        pylevels_intern(thread, level, parent);
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

#endif
