/*
 * What of a call tree is shown, and in which order (tree.h).  Runs in the tools;
 * stacks may be deeper than the C stack is.
 */
#include "render/tree.h"

#include <stdlib.h>

static double least_shown(const struct tree_report *about)
{
    return about->smallest * (double)about->tree->nodes[0].metric;
}

uint32_t tree_shown(const struct tree_report *about, uint32_t node)
{
    const struct tree *tree = about->tree;
    size_t limit = tree->view.options->limit;
    double least = least_shown(about);
    uint32_t shown = 0, n = tree->nodes[node].n_children;
    while (shown < n && (!limit || shown < limit) &&
           (double)tree->nodes[tree_child(tree, node, shown)].metric >= least)
        shown++;
    return shown;
}

bool tree_has_rest(const struct tree_report *about, uint32_t node)
{
    const struct tree *tree = about->tree;
    int64_t rest = 0;
    uint32_t n = tree->nodes[node].n_children, shown = tree_shown(about, node);
    for (uint32_t i = shown; i < n; i++)
        rest += tree->nodes[tree_child(tree, node, i)].metric;
    return shown && shown < n && (double)rest >= least_shown(about);
}

bool tree_is_chain(const struct tree_report *about, uint32_t node)
{
    const struct tree *tree = about->tree;
    if (!node || tree_shown(about, node) != 1)
        return false;
    int64_t less = tree->nodes[node].metric - tree->nodes[tree_child(tree, node, 0)].metric;
    return less == 0 || (double)less < least_shown(about);
}

/* Goes one level down, before the first child. */
static void descend(struct tree_walk *walk)
{
    if (walk->level == walk->capacity) {
        walk->capacity = walk->capacity ? walk->capacity * 2 : 64;
        walk->ranks = reallocarray(walk->ranks, walk->capacity, sizeof *walk->ranks);
        if (!walk->ranks)
            abort();
    }
    walk->ranks[walk->level++] = 0;
}

bool tree_next(struct tree_walk *walk)
{
    const struct tree *tree = walk->about->tree;
    if (!walk->started) {
        walk->started = true;
        return true;
    }
    descend(walk);
    while (walk->level && walk->ranks[walk->level - 1] >= tree_shown(walk->about, walk->node)) {
        walk->level--;
        walk->node = tree->nodes[walk->node].parent;
    }
    if (!walk->level)
        return false;
    walk->node = tree_child(tree, walk->node, walk->ranks[walk->level - 1]++);
    return true;
}

void tree_walk_free(struct tree_walk *walk)
{
    free(walk->ranks);
}
