/*
 * Callers of code that no table describes: made at run time, or written by hand.  In
 * the host, inside malloc.
 */
#ifndef AGENT_CODEFRAME_H
#define AGENT_CODEFRAME_H

#include <stdbool.h>

#include "unwind.h"

/* The caller of a frame by the code that is to run there; false if that does not tell. */
bool codeframe_step(
    struct unwind_stack *readable, const struct unwind_frame *frame, struct unwind_frame *caller);

#endif
