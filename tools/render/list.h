/*
 * The traces of a directory as a table and as data.
 */
#ifndef RENDER_LIST_H
#define RENDER_LIST_H

#include <stdio.h>

#include "render/format.h"
#include "render/found.h"

struct list {
    const struct found *found;
    size_t n;
    double now; /* seconds since 1970 */
    enum units units;
};

void list_text(FILE *file, const struct list *list);
void list_json(FILE *file, const struct list *list);
void list_csv(FILE *file, const struct list *list);

#endif
