/*
 * What the two ways to know rows over time share.  Only for stack.c and
 * stack_exact.c.
 */
#ifndef TRACE_STACK_PARTS_H
#define TRACE_STACK_PARTS_H

#include "trace/stack.h"

/* Hostile traces may overflow: then the sum wraps. */
void stack_add(int64_t *sum, int64_t change);
/* Puts the curves of the chosen rows into the stack as the log has them, if there is one. */
void stack_make_exact(struct stack *stack, const struct trace *trace);

#endif
