/*
 * How far a frame's caller is up the stack: the little of call frame information
 * that takes to step out of functions which keep no frame pointer.  In the host,
 * inside malloc.
 */
#ifndef AGENT_CFI_H
#define AGENT_CFI_H

#include <stdint.h>

#include "loaded.h"

/* Of the function that is returned to at `address`: how many bytes above the stack pointer, as it
   is after that return, its own caller's frame begins.  The return address lies just below.
   0 where that is not a constant distance from the stack pointer, or not told. */
uint32_t cfi_frame_size(const struct loaded *object, uintptr_t address);

#endif
