/*
 * Numbers of frames (export_stacks.h).  Runs in exports.  A million stacks have
 * some ten million frames: parents and numbers are kept close together.
 */
#include "render/export_stacks.h"

#include <stdbool.h>
#include <stdlib.h>

#include "trace/group.h"
#include "trace/huge.h"

struct stack_numbers {
    struct group *group;
    uint32_t *parents;       /* by node */
    uint32_t *known;         /* by node: the number of its frame */
    size_t depths, capacity; /* of stacks->frames, of stacks->nodes */
};

static void *need(void *memory)
{
    if (!memory)
        abort();
    return memory;
}

static void number_frame(struct export_stacks *stacks, uint32_t node)
{
    struct stack_numbers *numbers = stacks->numbers;
    bool added;
    size_t number =
        group_row(numbers->group, node ? group_frame_number(numbers->group, node) : 0, &added);
    if (number == numbers->capacity) {
        numbers->capacity = numbers->capacity ? numbers->capacity * 2 : 256;
        stacks->nodes = need(reallocarray(stacks->nodes, numbers->capacity, sizeof *stacks->nodes));
    }
    if (added) {
        stacks->nodes[number] = node;
        stacks->n_frames = number + 1;
    }
    numbers->known[node] = (uint32_t)number;
}

/* In the order of the trace: what is called from one place is close together in all tables. */
struct export_stacks *export_stacks_of(const struct trace *trace, const bool *used)
{
    struct export_stacks *stacks = need(calloc(1, sizeof *stacks));
    struct stack_numbers *numbers = need(calloc(1, sizeof *numbers));
    stacks->numbers = numbers;
    numbers->group = group_new(trace, VIEW_LINENO);
    numbers->parents = need(huge_calloc(trace->n_nodes, sizeof *numbers->parents));
    numbers->known = need(huge_calloc(trace->n_nodes, sizeof *numbers->known));
    for (uint32_t i = 0; i < trace->n_nodes; i++) {
        numbers->parents[i] = trace->nodes[i].parent;
        if (used[i])
            number_frame(stacks, i);
    }
    return stacks;
}

struct export_stacks *export_stacks_new(const struct view *view)
{
    const struct trace *trace = view->trace;
    bool *used = need(calloc(trace->n_nodes, sizeof *used));
    for (size_t i = 0; i < view->n_rows; i++) {
        uint32_t node = view->rows[i].node;
        if (view->rows[i].metric <= 0)
            continue;
        used[0] |= !node;
        for (; node && !used[node]; node = trace->nodes[node].parent)
            used[node] = true;
    }
    struct export_stacks *stacks = export_stacks_of(trace, used);
    free(used);
    return stacks;
}

void export_stacks_free(struct export_stacks *stacks)
{
    group_free(stacks->numbers->group);
    free(stacks->numbers->parents);
    free(stacks->numbers->known);
    free(stacks->numbers);
    free(stacks->frames);
    free(stacks->nodes);
    free(stacks);
}

static void push(struct export_stacks *stacks, size_t depth, uint32_t frame)
{
    struct stack_numbers *numbers = stacks->numbers;
    if (depth == numbers->depths) {
        numbers->depths = depth ? depth * 2 : 64;
        stacks->frames =
            need(reallocarray(stacks->frames, numbers->depths, sizeof *stacks->frames));
    }
    stacks->frames[depth] = frame;
}

uint32_t export_stacks_frame(const struct export_stacks *stacks, uint32_t node)
{
    return stacks->numbers->known[node];
}

size_t export_stacks_read(struct export_stacks *stacks, uint32_t leaf)
{
    const struct stack_numbers *numbers = stacks->numbers;
    size_t depth = 0;
    push(stacks, depth++, numbers->known[leaf]);
    while ((leaf = numbers->parents[leaf]) != 0)
        push(stacks, depth++, numbers->known[leaf]);
    return depth;
}
