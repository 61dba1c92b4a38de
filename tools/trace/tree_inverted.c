/*
 * Call trees from the allocating frames up (tree.h).  Runs in reports.  Made a
 * level at a time, so that no branch that is too small or too deep is walked.
 */
#include <stdlib.h>
#include <string.h>

#include "trace/tree_parts.h"

/* One frame with allocations of its own, on its way up. */
struct climber {
    uint32_t leaf, at; /* of the straight tree */
    uint32_t child;    /* of the inverted one: where it goes next */
};

struct span { /* of climbers */
    uint32_t begin, end;
};

struct climb {
    struct tree_maker *up;
    const struct tree_maker *down;
    struct climber *climbers, *spare;
    size_t n_climbers;
    struct span *spans; /* by node of the inverted tree */
    size_t capacity;
    double least;
};

static void spans_for(struct climb *climb, size_t n_nodes)
{
    if (n_nodes <= climb->capacity)
        return;
    climb->capacity = n_nodes * 2;
    climb->spans = reallocarray(climb->spans, climb->capacity, sizeof *climb->spans);
    if (!climb->spans)
        abort();
}

/* Sends a climber to a child of `node`, for the frame `at`. */
static void step(struct climb *climb, uint32_t node, struct climber *climber, uint32_t at)
{
    const struct tree_node *from = &climb->down->tree->nodes[at];
    climber->child = tree_add(climb->up, node, climb->down->frames[at]);
    struct tree_node *child = &climb->up->tree->nodes[climber->child];
    if (!child->node)
        child->node = from->node;
    child->process = from->process;
    child->thread = from->thread;
    view_amount_add(&child->amount, &climb->down->tree->nodes[climber->leaf].amount);
}

/* Sorts climbers by the children that they went to, which are numbered from `first` on. */
static void settle(struct climb *climb, struct span span, uint32_t first)
{
    uint32_t n_nodes = (uint32_t)climb->up->tree->n_nodes, at = span.begin;
    spans_for(climb, n_nodes);
    memset(climb->spans + first, 0, (n_nodes - first) * sizeof *climb->spans);
    for (uint32_t i = span.begin; i < span.end; i++)
        climb->spans[climb->climbers[i].child].end++;
    for (uint32_t child = first; child < n_nodes; child++) {
        uint32_t count = climb->spans[child].end;
        climb->spans[child] = (struct span){at, at};
        at += count;
    }
    for (uint32_t i = span.begin; i < span.end; i++)
        climb->spare[climb->spans[climb->climbers[i].child].end++] = climb->climbers[i];
    memcpy(climb->climbers + span.begin, climb->spare + span.begin,
        (span.end - span.begin) * sizeof *climb->spare);
}

/* Makes the children of a node out of the climbers that came to it. */
static void expand(struct climb *climb, uint32_t node)
{
    struct tree *tree = climb->up->tree;
    struct span span = climb->spans[node];
    uint32_t first = (uint32_t)tree->n_nodes, kept = span.begin;
    for (uint32_t i = span.begin; i < span.end; i++) /* the others are at their stack's end */
        if (climb->down->tree->nodes[climb->climbers[i].at].depth >
            tree_frames_above(climb->down->shape))
            climb->climbers[kept++] = climb->climbers[i];
    span.end = kept;
    if (span.begin == span.end)
        return;
    int64_t metric = view_metric(&tree->view, &tree->nodes[node].amount);
    if (tree_stops(climb->up->shape, &tree->nodes[node], metric, climb->least)) {
        tree->nodes[node].cut = true;
        return;
    }
    for (uint32_t i = span.begin; i < span.end; i++) {
        struct climber *climber = &climb->climbers[i];
        step(climb, node, climber, climber->at);
        climber->at = climb->down->tree->nodes[climber->at].parent;
    }
    settle(climb, span, first);
}

static void gather(struct climb *climb)
{
    const struct tree *down = climb->down->tree;
    climb->climbers = calloc(down->n_nodes, sizeof *climb->climbers);
    climb->spare = calloc(down->n_nodes, sizeof *climb->spare);
    if (!climb->climbers || !climb->spare)
        abort();
    for (uint32_t i = 1; i < down->n_nodes; i++)
        if (!view_amount_is_zero(&down->nodes[i].amount))
            climb->climbers[climb->n_climbers++] = (struct climber){.leaf = i, .at = i};
    spans_for(climb, 1);
    climb->spans[0] = (struct span){0, (uint32_t)climb->n_climbers};
}

/* The processes or threads of a split are the first level of both trees. */
static void split(struct climb *climb)
{
    const struct tree_node *nodes = climb->down->tree->nodes;
    for (size_t i = 0; i < climb->n_climbers; i++) {
        uint32_t root = climb->climbers[i].leaf;
        while (nodes[root].depth > 1)
            root = nodes[root].parent;
        step(climb, 0, &climb->climbers[i], root);
    }
    settle(climb, climb->spans[0], 1);
}

void tree_invert(struct tree_maker *up, const struct tree_maker *down)
{
    struct climb climb = {.up = up, .down = down};
    uint32_t node = 0;
    up->tree->nodes[0].amount = up->tree->view.total;
    climb.least =
        up->shape->smallest * (double)view_metric(&up->tree->view, &up->tree->nodes[0].amount);
    gather(&climb);
    if (up->shape->split != TREE_TOGETHER) {
        split(&climb);
        node = 1;
    }
    for (; node < up->tree->n_nodes; node++)
        expand(&climb, node);
    free(climb.climbers);
    free(climb.spare);
    free(climb.spans);
}
