/*
 * What the two ways to make a call tree share.  Only for tree.c and
 * tree_inverted.c.
 */
#ifndef TRACE_TREE_PARTS_H
#define TRACE_TREE_PARTS_H

#include "trace/table.h"
#include "trace/tree.h"

/* A tree while it grows. */
struct tree_maker {
    struct tree *tree;
    const struct tree_options *shape;
    struct table children; /* index of a node, by its parent and frame */
    size_t capacity;
    uint32_t *frames; /* by node: the number of its frame, from 1; 0: none */
};

/* The child of a node with that frame; made if it is not there.  What `nodes` points to moves. */
uint32_t tree_add(struct tree_maker *maker, uint32_t parent, uint32_t frame);

/* Depth of what lies above the frames. */
uint32_t tree_frames_above(const struct tree_options *shape);
/* True if nothing is to be made below a node that is a frame. */
bool tree_stops(
    const struct tree_options *shape, const struct tree_node *node, int64_t metric, double least);

/* The same tree from its leaves: amounts in `down` are those of each frame's own. */
void tree_invert(struct tree_maker *up, const struct tree_maker *down);

#endif
