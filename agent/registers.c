/*
 * Steps that follow every register (registers.h).  In the host, inside malloc.
 *
 * The loader's own code needs it, which finds its frame by %rbx while it binds a
 * function, and what a signal interrupts between the instructions that align a stack.
 */
#include "registers.h"

#include "codeframe.h"
#include "expression.h"
#include "loaded.h"
#include "peek.h"
#include "unwind.h"

/* What a function gives back as it found it: %rbx, %rbp, %r12 to %r15. */
#define PRESERVED (1u << CFI_BX | 1u << CFI_FRAME_POINTER | 0xfu << 12)

struct unwind_frame registers_frame(const struct registers *registers)
{
    struct unwind_frame frame = {.is_interrupted = registers->is_interrupted};
    registers_get(registers, CFI_RETURN, &frame.ip);
    registers_get(registers, CFI_STACK_POINTER, &frame.sp);
    frame.lacks_bp = !registers_get(registers, CFI_FRAME_POINTER, &frame.bp);
    return frame;
}

static bool read_word(struct unwind_stack *readable, uintptr_t address, uintptr_t *value)
{
    if (!unwind_readable(readable, address)) {
        return false;
    }
    *value = peek64(address);
    return true;
}

/* The caller's value of a register that is not left alone. */
static bool value_of(
    const struct expression *expression, const struct cfi_place *place, uintptr_t *value)
{
    const uint8_t *code = (const uint8_t *)(intptr_t)place->what;
    uintptr_t at = expression->first + (uintptr_t)place->what;
    switch (place->kind) {
    case CFI_AT:
        return read_word(expression->readable, at, value);
    case CFI_ABOVE:
        *value = at;
        return true;
    case CFI_IN:
        return registers_get(expression->registers, (uint64_t)place->what, value);
    case CFI_EXPRESSION:
        return expression_value(expression, code, &at) &&
               read_word(expression->readable, at, value);
    case CFI_VALUE:
        return expression_value(expression, code, value);
    default:
        return false;
    }
}

/* A return address stands behind its call, perhaps in the next function. */
static bool find_row(const struct registers *frame, struct cfi_row *row)
{
    struct loaded object;
    uintptr_t ip = frame->values[CFI_RETURN];
    return loaded_find(ip, &object) &&
           cfi_find_row(&object, frame->is_interrupted ? ip : ip - 1, row);
}

static bool find_top(const struct expression *expression, const struct cfi_row *row, uintptr_t *top)
{
    uintptr_t base;
    if (row->expression) {
        return expression_value(expression, row->expression, top);
    }
    bool known = registers_get(expression->registers, row->base, &base);
    *top = base + (uintptr_t)row->offset;
    return known;
}

/* Where there is no table. */
static bool step_by_code(struct unwind_stack *readable, struct registers *frame)
{
    struct unwind_frame callee = registers_frame(frame), caller;
    if (callee.lacks_bp || !codeframe_step(readable, &callee, &caller)) {
        return false;
    }
    *frame = (struct registers){.known = 0};
    registers_set(frame, CFI_RETURN, caller.ip);
    registers_set(frame, CFI_STACK_POINTER, caller.sp);
    registers_set(frame, CFI_FRAME_POINTER, caller.bp);
    return true;
}

bool registers_step(struct unwind_stack *readable, struct registers *frame)
{
    struct cfi_row row;
    const struct registers callee = *frame;
    struct expression expression = {.readable = readable, .registers = &callee};
    if (!find_row(frame, &row)) {
        return step_by_code(readable, frame);
    }
    if (!find_top(&expression, &row, &expression.first)) {
        return false;
    }
    frame->is_interrupted = row.is_signal;
    frame->known &= PRESERVED;
    registers_set(frame, CFI_STACK_POINTER, expression.first);
    for (unsigned i = 0; i < CFI_REGISTERS; i++) {
        uintptr_t value;
        if (row.places[i].kind == CFI_SAME) {
            continue;
        }
        frame->known &= ~(1u << i);
        if (value_of(&expression, &row.places[i], &value)) {
            registers_set(frame, i, value);
        }
    }
    uintptr_t ip;
    return registers_get(frame, CFI_RETURN, &ip) && ip &&
           frame->known >> CFI_STACK_POINTER & 1;
}
