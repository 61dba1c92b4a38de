/*
 * The stacks of a view as numbers of frames, for formats that name each frame of
 * each stack.  A frame is a line of a function; it is looked up once for each node
 * of the trace, not for each stack that it is in.
 */
#ifndef RENDER_EXPORT_STACKS_H
#define RENDER_EXPORT_STACKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "trace/view.h"

struct export_stacks {
    uint32_t *frames; /* of the stack read last: their numbers, from the innermost */
    uint32_t *nodes;  /* by number of a frame: a node that has it, 0 for no frame */
    size_t n_frames;
    struct stack_numbers *numbers;
};

/* For the stacks of a view's rows that have something. */
struct export_stacks *export_stacks_new(const struct view *view);
/* For the nodes that are used, by number; of node 0 only as a stack without a frame. */
struct export_stacks *export_stacks_of(const struct trace *trace, const bool *used);
void export_stacks_free(struct export_stacks *stacks);
/* The number of the frame of a node that is in one of the stacks; of node 0 that of no frame. */
uint32_t export_stacks_frame(const struct export_stacks *stacks, uint32_t node);
/* Reads the stack of a node and returns its depth, at least 1: what has no frame has one that says
   so.  Frames are numbered from 0 in the order of their first use, of a stack the outermost first.
 */
size_t export_stacks_read(struct export_stacks *stacks, uint32_t leaf);

#endif
