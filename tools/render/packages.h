/*
 * A run of frames in a few words: `14 frames in flask, werkzeug`.
 */
#ifndef RENDER_PACKAGES_H
#define RENDER_PACKAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum { PACKAGES_NAMED = 4 };

struct packages { /* zeroed is empty */
    const char *names[PACKAGES_NAMED];
    size_t sizes[PACKAGES_NAMED], named, frames;
    bool more; /* than are named */
};

/* A frame by the name of its file, which must live on. */
void packages_add(struct packages *packages, const char *file);
/* `... 14 frames in flask, werkzeug`. */
void packages_print(FILE *file, const struct packages *packages);

#endif
