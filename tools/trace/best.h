/*
 * Finds for each row of a view the line that contributes most to it.
 */
#ifndef TRACE_BEST_H
#define TRACE_BEST_H

#include <stddef.h>
#include <stdint.h>

#include "trace/arena.h"
#include "trace/group.h"

struct best *best_new(struct group *group);
/* Adds to what the line of `node` contributes to a row. */
void best_add(struct best *best, size_t row, uint32_t node, int64_t metric);
/* By row, a node of its best line, 0 if nothing was added; of equals the first. */
uint32_t *best_nodes(const struct best *best, size_t n_rows, struct arena *arena);
void best_free(struct best *best);

#endif
