/*
 * The marks of activations: where they are, and whether one stands (enum py_mark_kind; what they
 * prove: pystack.c).  In the host, inside malloc, in the thread whose frames these are.
 */
#ifndef AGENT_PYMARKS_H
#define AGENT_PYMARKS_H

#include <stdbool.h>
#include <stdint.h>

#include "activation.h"
#include "peek.h"
#include "python.h"
#include "thread.h"

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

/* `above` is the frame above, 0 if there is none: then it runs. */
FAST bool pymarks_has(
    const struct thread *thread, uintptr_t frame, uintptr_t above, enum py_mark_kind kind)
{
    const struct pyoffsets *py = &python.offsets;
    if (kind == PY_MARK_STACK) {
        int32_t stacktop = (int32_t)peek32(frame + py->frame_stacktop);
        if (stacktop >= 0) {
            uintptr_t slot = dead_slot(py, frame, stacktop, above);
            return slot && peek64(slot) == thread->mark_slot;
        }
    }
    return activation_is_marked(thread, frame, kind);
}

static inline void mark_suspended(
    struct thread *thread, uintptr_t frame, int32_t stacktop, uintptr_t above)
{
    uintptr_t slot = dead_slot(&python.offsets, frame, stacktop, above);
    if (slot) {
        poke64(slot, thread->mark_slot);
    }
}

/* A generator's frame loses its mark where it is left, as a thread's does where it calls. */
static inline bool runs_as_marked(const struct pyoffsets *py, uintptr_t frame)
{
    uint8_t owner = peek8(frame + py->frame_owner);
    return owner == OWNER_THREAD || owner == py->owner_generator;
}

/* The frame was read just now, and is complete. */
FAST void pymarks_set(
    struct thread *thread, uintptr_t frame, uintptr_t above, enum py_mark_kind kind)
{
    const struct pyoffsets *py = &python.offsets;
    switch (kind) {
    case PY_MARK_STACK: {
        int32_t stacktop = (int32_t)peek32(frame + py->frame_stacktop);
        if (stacktop >= 0) {
            mark_suspended(thread, frame, stacktop, above);
        } else if (runs_as_marked(py, frame)) {
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
    case PY_MARK_OWNER_COPIES:
        if (peek8(frame + py->frame_owner) == OWNER_THREAD) {
            poke8(frame + py->frame_owner + 1, thread->mark_byte);
        }
        break;
    default:
        break;
    }
}

#endif
