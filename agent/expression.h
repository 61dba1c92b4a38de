/*
 * DWARF's expressions, as far as call frame information has them.  In the host,
 * inside malloc.
 */
#ifndef AGENT_EXPRESSION_H
#define AGENT_EXPRESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "registers.h"

struct unwind_stack;

struct expression {
    struct unwind_stack *readable;
    const struct registers *registers;
    uintptr_t first; /* what the evaluation begins with */
};

/* `code` is the length in bytes, then these.  False if something in it is not known here, or
   what it reads cannot be read. */
bool expression_value(const struct expression *expression, const uint8_t *code, uintptr_t *value);

#endif
