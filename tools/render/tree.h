/*
 * A call tree as text and as data.
 */
#ifndef RENDER_TREE_H
#define RENDER_TREE_H

#include <stdio.h>

#include "render/report.h"
#include "trace/tree.h"

struct tree_report {
    const struct report *report;
    const struct tree *tree;
    bool inverted;
    double smallest; /* share of the total of a branch that is shown */
    bool unfolded;   /* no run of frames of libraries is made one line */
};

void tree_text(FILE *file, const struct tree_report *about);
void tree_json(FILE *file, const struct tree_report *about);
void tree_csv(FILE *file, const struct tree_report *about);

/* How many of a node's children are shown: by rank, the first. */
uint32_t tree_shown(const struct tree_report *about, uint32_t node);
/* True if those that are not are worth a line, together. */
bool tree_has_rest(const struct tree_report *about, uint32_t node);
/* True if what a node has is as good as all in the one child that is shown. */
bool tree_is_chain(const struct tree_report *about, uint32_t node);

/* A walk over what is shown, parents first; starts zeroed with `about` set.  False at the end. */
struct tree_walk {
    const struct tree_report *about;
    uint32_t node;   /* the one that was reached */
    uint32_t *ranks; /* by level */
    size_t level, capacity;
    bool started;
};
bool tree_next(struct tree_walk *walk);
void tree_walk_free(struct tree_walk *walk);

#endif
