/*
 * Flame graphs: a page that can be asked, and a picture.
 */
#ifndef RENDER_FLAME_H
#define RENDER_FLAME_H

#include <stdbool.h>
#include <stdio.h>

#include "render/report.h"
#include "trace/tree.h"

struct flame {
    const struct report *report;
    struct tree_options shape;
    const char *title; /* NULL: the command */
    int width;         /* of the picture, pixels */
};

/* What the page shows, as JSON without `<`: fits into a script element. */
void flame_data(FILE *file, const struct flame *flame, const struct view *view);
/* The page; false if its template is nowhere, `looked` is where it was looked for last. */
bool flame_page(
    FILE *file, const struct flame *flame, const struct view *view, const char **looked);
/* The picture of a tree. */
void flame_svg(FILE *file, const struct flame *flame, const struct tree *tree);

#endif
