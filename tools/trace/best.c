/*
 * Sums by row and line.  Runs in views.
 */
#include "trace/best.h"

#include <stdlib.h>

#include "trace/table.h"

struct best_line {
    uint32_t row, node;
    int64_t metric;
};

struct best {
    struct group *group;
    struct table numbers; /* of lines, from 1, by row and line of the group */
    struct best_line *lines;
    size_t n_lines, capacity;
};

struct best *best_new(struct group *group)
{
    struct best *best = calloc(1, sizeof *best);
    if (!best)
        abort();
    best->group = group;
    return best;
}

static struct best_line *add_line(struct best *best)
{
    if (best->n_lines == best->capacity) {
        best->capacity = best->capacity ? best->capacity * 2 : 64;
        best->lines = reallocarray(best->lines, best->capacity, sizeof *best->lines);
        if (!best->lines)
            abort();
    }
    return &best->lines[best->n_lines++];
}

void best_add(struct best *best, size_t row, uint32_t node, int64_t metric)
{
    uint32_t line = group_line_number(best->group, node);
    uint32_t *number = table_at(&best->numbers, (uint64_t)row << 32 | line);
    if (!*number) {
        *add_line(best) = (struct best_line){.row = (uint32_t)row, .node = node};
        *number = (uint32_t)best->n_lines;
    }
    int64_t *sum = &best->lines[*number - 1].metric;
    *sum = (int64_t)((uint64_t)*sum + (uint64_t)metric);
}

uint32_t *best_nodes(const struct best *best, size_t n_rows, struct arena *arena)
{
    uint32_t *nodes = arena_need(arena, n_rows * sizeof *nodes);
    int64_t *most = arena_need(arena, n_rows * sizeof *most);
    for (size_t i = 0; i < best->n_lines; i++) {
        const struct best_line *line = &best->lines[i];
        if (nodes[line->row] && line->metric <= most[line->row])
            continue;
        nodes[line->row] = line->node;
        most[line->row] = line->metric;
    }
    return nodes;
}

void best_free(struct best *best)
{
    table_free(&best->numbers);
    free(best->lines);
    free(best);
}
