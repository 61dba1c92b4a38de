/*
 * What the parts that make rows over time share.  Only for stack.c,
 * stack_choose.c and stack_exact.c.
 */
#ifndef TRACE_STACK_PARTS_H
#define TRACE_STACK_PARTS_H

#include "trace/stack.h"

#define STACK_SEVERAL UINT32_MAX /* a row that is of several processes */

/* What a boundary tells of: the end of a process of its own rows alone. */
enum stack_point { STACK_NO_POINT, STACK_OF_ALL, STACK_OF_PROCESS };

/* `only`: the process selected if it is one, else 0.  `last_us` is the time of the last point: a
   damaged trace goes back. */
enum stack_point stack_point_of(
    const struct trace_boundary *boundary, uint32_t only, uint64_t *last_us);
/* Hostile traces may overflow: then the sum wraps. */
void stack_add(int64_t *sum, int64_t change);
/* Sets the stack's rows to those that ever held most.  `owners`: by row, the process that all its
   sites are of, or STACK_SEVERAL. */
void stack_choose(struct stack *stack, const struct trace *trace, const uint32_t *owners,
    uint32_t only, size_t limit);
/* Puts the curves of the chosen rows into the stack as the log has them, if there is one. */
void stack_make_exact(struct stack *stack, const struct trace *trace);

#endif
