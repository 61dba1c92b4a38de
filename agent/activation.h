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
#define NOWHERE 1u /* activation_where: nothing to remember a node by */

#define FAST static inline __attribute__((always_inline)) /* of the hot path */
#define RARELY(condition) __builtin_expect(condition, 0)
#define USUALLY(condition) __builtin_expect(condition, 1)

/* Only versions with this way to mark, or none, have the frame of a state behind another pointer.
 */
FAST bool activation_may_have_cframe(enum py_mark_kind kind)
{
    return kind == PY_MARK_STACK || kind == PY_MARK_NONE;
}

FAST uintptr_t activation_innermost(uintptr_t state, enum py_mark_kind kind)
{
    const struct pyoffsets *py = &python.offsets;
    if (!activation_may_have_cframe(kind) || py->tstate_cframe == PY_NO_OFFSET) {
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

/* ---- where it is ---- */

/* Frames say where they are by a pointer. */
FAST bool activation_has_pointers(enum py_mark_kind kind)
{
    return kind == PY_MARK_NONE ? python.offsets.instr_kind == PY_INSTR_POINTER
                                : kind != PY_MARK_TRACE_LINES;
}

/* Into the code's own bytecode, or a copy of it that is a thread's. */
FAST bool activation_has_copies(enum py_mark_kind kind)
{
    return kind == PY_MARK_NONE ? python.offsets.code_copies != PY_NO_OFFSET
                                : kind == PY_MARK_OWNER_COPIES;
}

static inline uintptr_t activation_code(uintptr_t frame)
{
    return peek64(frame + python.offsets.frame_code) & ~(uintptr_t)python.offsets.code_tag_mask;
}

/* Where the bytecode starts that the frame runs, 0 if it runs none.  The list of copies may be
   replaced meanwhile: the old one stays until all threads of Python have passed a safe point, but
   one in C code that has told the interpreter so is waited for by nobody. */
static inline uintptr_t activation_bytecode(uintptr_t frame, uintptr_t code)
{
    const struct pyoffsets *py = &python.offsets;
    uint64_t copy = peek32(frame + py->frame_copy);
    uintptr_t copies, start;
    if (!code || peek64(code + py->object_type) != python.code_type) {
        return 0;
    }
    if (!copy) {
        return code + py->code_adaptive;
    }
    do {
        copies = peek64(code + py->code_copies);
        start = copy < peek64(copies) ? peek64(copies + 8 + 8 * copy) : 0;
    } while (peek64(code + py->code_copies) != copies);
    return start;
}

/* A value that a frame at this instruction of its code has, and no frame of another code that
   lives. */
FAST uint64_t activation_where(
    uintptr_t frame, uintptr_t code, uintptr_t instruction, enum py_mark_kind kind)
{
    if (!activation_has_pointers(kind)) {
        return instruction < UINT16_MAX ? code ^ instruction << 48 : NOWHERE;
    }
    if (!activation_has_copies(kind)) {
        return instruction;
    }
    uintptr_t start = activation_bytecode(frame, code);
    return start ? code + python.offsets.code_adaptive + (instruction - start) : NOWHERE;
}

/* An offset is in the upper bits, a pointer has none there. */
FAST struct memo *activation_memo(
    struct thread *thread, uint64_t where, uint32_t parent, enum py_mark_kind kind)
{
    uint32_t upper = activation_has_pointers(kind) ? 0 : (uint32_t)(where >> 48);
    return &thread->memos[((uint32_t)(where >> 1) + upper + parent * 37) % THREAD_MEMOS];
}

/* ---- is it the same ---- */

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
    case PY_MARK_OWNER_COPIES:
        return peek8(frame + py->frame_owner) == OWNER_THREAD &&
               peek8(frame + py->frame_owner + 1) == thread->mark_byte;
    default:
        return false;
    }
}

/* As the frame has it: a pointer or an offset. */
FAST uintptr_t activation_instruction(uintptr_t frame, enum py_mark_kind kind)
{
    const struct pyoffsets *py = &python.offsets;
    return activation_has_pointers(kind) ? peek64(frame + py->frame_instr)
                                         : peek32(frame + py->frame_instr);
}

/* Brings a level whose activation is the same to where that one is now; false, and nothing has
   changed, if the node for it is not at hand. */
FAST bool activation_follow(struct thread *thread, struct level *level, enum py_mark_kind kind)
{
    uintptr_t instruction = activation_instruction(level->frame, kind);
    if (instruction == level->instruction) {
        return true;
    }
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

/* Node of the stack whose innermost frame this is, if it is the activation that was last seen, at
   an instruction whose node is at hand.  Marks must be allowed, and of this kind. */
FAST bool activation_step(
    struct thread *thread, uintptr_t frame, enum py_mark_kind kind, uint32_t *node)
{
    struct level *level = thread->top;
    if (level->frame != frame || !activation_is_marked(thread, frame, kind) ||
        !activation_follow(thread, level, kind)) {
        return false;
    }
    *node = level->node;
    return true;
}

#endif
