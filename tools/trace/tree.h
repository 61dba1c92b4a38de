/*
 * The call tree of a view: what was allocated below each frame, top-down from
 * where programs begin or, inverted, from the allocating lines up to who called
 * them.  A view: it runs in reports.
 *
 * A frame is what the view's key makes of it: a line and its function (caller,
 * lineno), a function, a file, a module, a package.  With the key caller the tree
 * has your own frames alone; frames of one file, module or package that call each
 * other are one frame.  A recursion is as deep as it was.
 */
#ifndef TRACE_TREE_H
#define TRACE_TREE_H

#include "trace/view.h"

enum tree_split { TREE_TOGETHER, TREE_BY_PROCESS, TREE_BY_THREAD };

struct tree_options { /* zeroed is the default; the key must have frames (view_key_has_frames) */
    bool inverted;
    enum tree_split split; /* the first level: nothing, processes or threads */
    uint32_t depth;        /* frames; what is deeper is not made; 0: all */
    double smallest;       /* share of the total (0 to 1): what is below a smaller branch is not
                              made; 0: all */
};

struct tree_node {
    struct view_amount amount; /* of it and all that is below */
    int64_t metric;
    uint32_t node;              /* of the trace: a stack with this frame innermost; 0: no frame */
    uint32_t parent;            /* in the tree; the root is 0 and its own parent */
    uint32_t depth;             /* 0: the root; with a split frames begin at 2 */
    uint32_t first, n_children; /* tree->children[first], the biggest first; those that are smaller
                                   than `smallest` are last, in no order */
    uint32_t process, thread;   /* of a split, for what is below too; else 0 */
    bool cut;                   /* frames below were not made */
};

struct tree {
    struct view view; /* without rows */
    struct tree_node *nodes;
    uint32_t *children;
    size_t n_nodes;
};

/* As view_make; `options` must outlive it.  tree_free it in any case. */
enum view_error tree_make(struct tree *tree, const struct trace *trace,
    const struct view_options *options, const struct tree_options *shape);
void tree_free(struct tree *tree);

/* The amount that is of the frame itself: below none of its children. */
struct view_amount tree_own(const struct tree *tree, uint32_t node);
/* A child by its rank. */
uint32_t tree_child(const struct tree *tree, uint32_t node, uint32_t rank);

#endif
