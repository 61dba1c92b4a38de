/*
 * Frames of compilers at run time (codeframe.h).  In the host, inside malloc.
 *
 * Where the function ends right there, as trampolines do, its last instructions say
 * how large its frame is.  Else the frame pointer is tried, which such
 * compilers mostly keep.  Either way what lies in the place of the return address has
 * to be one: it stands behind a call.
 */
#include "codeframe.h"

#include <string.h>

#include "peek.h"
#include "sys.h"

#define PAGE ((uintptr_t)4096)
#define WORD ((uintptr_t)sizeof(uintptr_t))
#define CODE 32u           /* bytes that are looked at */
#define CALL_MAX 7u        /* bytes of the longest call */
#define FRAME_MAX 1048576u /* more than that is no frame of such code */

enum { RET = 0xc3, LEAVE = 0xc9, POP = 0x58, POP_FRAME_POINTER = 0x5d, REX_B = 0x41 };

/* Copies code, which may have been unmapped; what cannot be read is 0. */
static void read_code(uintptr_t address, uint8_t *code, uintptr_t size)
{
    uintptr_t split = PAGE - address % PAGE;
    uintptr_t first = size < split ? size : split;
    memset(code, 0, size);
    if (sys_is_readable(address & ~(PAGE - 1))) {
        memcpy(code, (const void *)address, first);
    }
    if (first < size && sys_is_readable(address + first)) {
        memcpy(code + first, (const void *)(address + first), size - first);
    }
}

/* The second byte of a call by a register or memory, and how long that makes it. */
static uint32_t size_of_call(uint8_t operand)
{
    static const uint8_t sizes[4] = {2, 3, 6, 2}; /* by how the operand is addressed */
    uint32_t mode = operand >> 6;
    bool is_call = (operand & 0x38) == 0x10;
    bool has_scale = mode != 3 && (operand & 7) == 4;
    bool is_relative = mode == 0 && (operand & 7) == 5;
    return is_call ? (is_relative ? 6u : sizes[mode]) + has_scale : 0;
}

static bool is_behind_call(uintptr_t address)
{
    uint8_t code[CALL_MAX];
    read_code(address - CALL_MAX, code, CALL_MAX);
    bool found = code[CALL_MAX - 5] == 0xe8;
    for (uint32_t size = 2; size <= CALL_MAX; size++) {
        const uint8_t *call = &code[CALL_MAX - size];
        found = found || (call[0] == 0xff && size_of_call(call[1]) == size);
    }
    return found;
}

/* The frame's top, as the instructions from here to the end of the function leave it, and where the
   caller's frame pointer is; false if they are others. */
static bool read_end(const struct unwind_frame *frame, uintptr_t *top, uintptr_t *bp_at)
{
    uint8_t code[CODE];
    uint32_t at = 0;
    uintptr_t sp = frame->sp;
    read_code(frame->ip, code, CODE);
    if (code[0] == 0x48 && code[2] == 0xc4 && (code[1] == 0x83 || code[1] == 0x81)) {
        int32_t wide; /* add $n, %rsp */
        memcpy(&wide, &code[3], sizeof(wide));
        sp += (uintptr_t)(intptr_t)(code[1] == 0x83 ? (int8_t)code[3] : wide);
        at = code[1] == 0x83 ? 4 : 7;
    }
    for (; at < CODE - 2 && code[at] != RET; at++, sp += WORD) {
        if (code[at] == LEAVE && code[at + 1] == RET) {
            *bp_at = frame->bp;
            *top = frame->bp + 2 * WORD;
            return true;
        }
        bool is_wide = code[at] == REX_B;
        at += is_wide;
        if ((code[at] & 0xf8) != POP) {
            return false;
        }
        *bp_at = !is_wide && code[at] == POP_FRAME_POINTER ? sp : *bp_at;
    }
    *top = sp + WORD;
    return code[at] == RET;
}

static bool read_word(struct unwind_stack *readable, uintptr_t address, uintptr_t *value)
{
    if (!unwind_readable(readable, address)) {
        return false;
    }
    *value = peek64(address);
    return true;
}

/* The frame that ends at `top`, if it does. */
static bool step_to(struct unwind_stack *readable, const struct unwind_frame *frame, uintptr_t top,
    uintptr_t bp_at, struct unwind_frame *caller)
{
    *caller = (struct unwind_frame){.sp = top, .bp = frame->bp, .bp_at = bp_at};
    return top > frame->sp && top - frame->sp < FRAME_MAX &&
           read_word(readable, top - WORD, &caller->ip) && caller->ip > PAGE &&
           (!bp_at || read_word(readable, bp_at, &caller->bp)) && is_behind_call(caller->ip);
}

bool codeframe_step(
    struct unwind_stack *readable, const struct unwind_frame *frame, struct unwind_frame *caller)
{
    uintptr_t top = 0, bp_at = 0;
    if (read_end(frame, &top, &bp_at) && step_to(readable, frame, top, bp_at, caller)) {
        return true;
    }
    return step_to(readable, frame, frame->bp + 2 * WORD, frame->bp, caller);
}
