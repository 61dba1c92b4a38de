/*
 * The source lines that a report shows: those of the trace, and where it has
 * none (it was cut off) those of the files that are here.
 */
#ifndef RENDER_SOURCES_H
#define RENDER_SOURCES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "trace/model.h"

/* FROM=TO of --source: a path that begins with FROM is looked for below TO. */
struct source_map {
    const char *from, *to;
};

struct sources;

struct sources *sources_new(
    const struct trace *trace, const struct source_map *maps, size_t n_maps);
void sources_free(struct sources *sources);

struct source_text {
    const char *text; /* NULL: there is none; valid until the next call */
    size_t size;
    const char *note; /* what must be known of it, NULL if nothing */
};

/* The text of the line of a node's own frame. */
struct source_text sources_of_node(struct sources *sources, uint32_t node);

/* A whole file as it is here, NULL if it is not; it lives as long as `sources`. */
struct source *sources_file(struct sources *sources, const char *name);

#endif
