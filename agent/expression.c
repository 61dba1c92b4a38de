/*
 * A machine with a stack (expression.h).  In the host, inside malloc.
 */
#include "expression.h"

#include "bytes.h"
#include "peek.h"
#include "unwind.h"

#define STACK 8u

struct evaluation {
    const struct expression *expression;
    struct bytes code;
    uint64_t stack[STACK];
    unsigned depth;
    bool bad;
};

static void push(struct evaluation *evaluation, uint64_t value)
{
    evaluation->bad |= evaluation->depth == STACK;
    evaluation->stack[evaluation->depth % STACK] = value;
    evaluation->depth += evaluation->depth < STACK;
}

static uint64_t pop(struct evaluation *evaluation)
{
    evaluation->bad |= evaluation->depth == 0;
    evaluation->depth -= evaluation->depth > 0;
    return evaluation->stack[evaluation->depth];
}

static void push_register(struct evaluation *evaluation, unsigned number)
{
    uint64_t offset = (uint64_t)bytes_sleb(&evaluation->code);
    uintptr_t value = 0;
    evaluation->bad |= !registers_get(evaluation->expression->registers, number, &value);
    push(evaluation, value + offset);
}

static void dereference(struct evaluation *evaluation)
{
    uintptr_t address = pop(evaluation);
    if (evaluation->bad || !unwind_readable(evaluation->expression->readable, address)) {
        evaluation->bad = true;
        return;
    }
    push(evaluation, peek64(address));
}

static void combine(struct evaluation *evaluation, uint8_t op)
{
    uint64_t right = pop(evaluation), left = pop(evaluation);
    switch (op) {
    case 0x1a: /* and */
        push(evaluation, left & right);
        break;
    case 0x1c: /* minus */
        push(evaluation, left - right);
        break;
    case 0x21: /* or */
        push(evaluation, left | right);
        break;
    case 0x22: /* plus */
        push(evaluation, left + right);
        break;
    case 0x24: /* shl */
        push(evaluation, right < 64 ? left << right : 0);
        break;
    case 0x25: /* shr */
        push(evaluation, right < 64 ? left >> right : 0);
        break;
    case 0x2a: /* ge */
        push(evaluation, (int64_t)left >= (int64_t)right);
        break;
    case 0x2d: /* lt */
        push(evaluation, (int64_t)left < (int64_t)right);
        break;
    default:
        evaluation->bad = true;
    }
}

static void push_constant(struct evaluation *evaluation, uint8_t op)
{
    unsigned size = 1u << (op - 0x08) / 2; /* const1u, const1s, const2u, ... const8s */
    uint64_t value = bytes_number(&evaluation->code, size);
    unsigned unused = 64 - 8 * size;
    bool is_signed = op & 1;
    push(evaluation, is_signed ? (uint64_t)((int64_t)(value << unused) >> unused) : value);
}

static void evaluate(struct evaluation *evaluation, uint8_t op)
{
    if (op >= 0x30 && op < 0x50) { /* lit0 to lit31 */
        push(evaluation, op - 0x30u);
    } else if (op >= 0x70 && op < 0x90) { /* breg0 to breg31 */
        push_register(evaluation, op - 0x70u);
    } else if (op == 0x06) {
        dereference(evaluation);
    } else if (op >= 0x08 && op <= 0x0f) {
        push_constant(evaluation, op);
    } else if (op == 0x23) { /* plus_uconst */
        uint64_t more = bytes_uleb(&evaluation->code);
        push(evaluation, pop(evaluation) + more);
    } else {
        combine(evaluation, op);
    }
}

bool expression_value(const struct expression *expression, const uint8_t *code, uintptr_t *value)
{
    struct evaluation evaluation = {.expression = expression, .code = {code, code + 10, false}};
    uint64_t length = bytes_uleb(&evaluation.code);
    evaluation.code.end = evaluation.code.next + (length < UINT16_MAX ? length : 0);
    push(&evaluation, expression->first);
    while (evaluation.code.next < evaluation.code.end && !evaluation.bad && !evaluation.code.bad) {
        evaluate(&evaluation, bytes_u8(&evaluation.code));
    }
    *value = pop(&evaluation);
    return !evaluation.bad && !evaluation.code.bad;
}
