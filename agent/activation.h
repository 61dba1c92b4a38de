/*
 * The innermost activation: is it the one that was last seen, and where is it now?  In the host,
 * inside malloc, in the thread whose frames these are.  Where activations are marked and why
 * that proves it: pystack.c and enum py_mark_kind.
 */
#ifndef AGENT_ACTIVATION_H
#define AGENT_ACTIVATION_H

#include <stdbool.h>
#include <stdint.h>

#include "peek.h"
#include "python.h"
#include "thread.h"

#define OWNER_THREAD 0u

#define FAST static inline __attribute__((always_inline)) /* of the hot path */

static inline uintptr_t activation_innermost(uintptr_t state)
{
    const struct pyoffsets *py = &python.offsets;
    if (py->tstate_cframe == PY_NO_OFFSET) {
        return peek64(state + py->tstate_frame);
    }
    uintptr_t cframe = peek64(state + py->tstate_cframe);
    return cframe ? peek64(cframe + py->cframe_frame) : 0;
}

/* False while a trace function is set: a debugger's jump moves a frame in the middle of the stack.
 */
FAST bool activation_may_mark(const struct thread *thread, uintptr_t state, enum py_mark_kind kind)
{
    return (kind == PY_MARK_STACK || thread->mark_byte) &&
           peek64(state + python.offsets.tstate_tracefunc) == 0;
}

static inline struct memo *activation_memo(struct thread *thread, uint64_t where, uint32_t parent)
{
    return &thread->memos[((uint32_t)(where >> 1) + (uint32_t)(where >> 48) + parent * 37) %
                          THREAD_MEMOS];
}

/* The mark of a frame that runs. */
static inline bool activation_is_marked(
    const struct thread *thread, uintptr_t frame, enum py_mark_kind kind)
{
    const struct pyoffsets *py = &python.offsets;
    switch (kind) {
    case PY_MARK_STACK:
        return (int32_t)peek32(frame + py->frame_stacktop) == thread->mark_top;
    case PY_MARK_TRACE_LINES:
        return peek8(frame + py->frame_trace_lines) == thread->mark_byte;
    case PY_MARK_OWNER:
        return peek8(frame + py->frame_owner) == OWNER_THREAD &&
               peek8(frame + py->frame_owner + 1) == thread->mark_byte;
    default:
        return false;
    }
}

/* Node of the stack whose innermost frame this is, if it is the activation that was last seen, at
   an instruction whose node is at hand.  Marks must be allowed, and of this kind. */
FAST bool activation_step(
    struct thread *thread, uintptr_t frame, enum py_mark_kind kind, uint32_t *node)
{
    const struct pyoffsets *py = &python.offsets;
    struct level *level = &thread->levels[(intptr_t)thread->depth - 1];
    if (level->frame != frame || !activation_is_marked(thread, frame, kind)) {
        return false;
    }
    bool is_pointer = kind != PY_MARK_TRACE_LINES;
    uintptr_t instruction =
        is_pointer ? peek64(frame + py->frame_instr) : peek32(frame + py->frame_instr);
    *node = level->node;
    if (instruction == level->instruction) {
        return true;
    }
    uint32_t parent = level[-1].node;
    uint64_t where = is_pointer ? instruction : level->code ^ instruction << 48;
    const struct memo *memo = activation_memo(thread, where, parent);
    if (memo->where != where || memo->parent != parent ||
        (!is_pointer && instruction >= UINT16_MAX)) {
        return false;
    }
    level->instruction = instruction;
    *node = level->node = memo->node;
    return true;
}

#endif
