/*
 * Numbers of frames (export_stacks.h).  Runs in exports.  A million stacks have
 * some ten million frames: parents and numbers are kept close together.
 */
#include "render/export_stacks.h"

#include <stdbool.h>
#include <stdlib.h>

#include "trace/group.h"

struct stack_numbers {
    struct group *group;
    uint32_t *parents;       /* by node */
    uint32_t *known;         /* by node: 1 + the number of its frame, 0 if not looked up */
    size_t depths, capacity; /* of stacks->frames, of stacks->nodes */
};

static void *need(void *memory)
{
    if (!memory)
        abort();
    return memory;
}

struct export_stacks *export_stacks_new(const struct trace *trace)
{
    struct export_stacks *stacks = need(calloc(1, sizeof *stacks));
    struct stack_numbers *numbers = need(calloc(1, sizeof *numbers));
    numbers->group = group_new(trace, VIEW_LINENO);
    numbers->parents = need(calloc(trace->n_nodes, sizeof *numbers->parents));
    numbers->known = need(calloc(trace->n_nodes, sizeof *numbers->known));
    for (size_t i = 0; i < trace->n_nodes; i++)
        numbers->parents[i] = trace->nodes[i].parent;
    stacks->numbers = numbers;
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

static uint32_t number_of(struct export_stacks *stacks, uint32_t node)
{
    struct stack_numbers *numbers = stacks->numbers;
    bool added;
    if (numbers->known[node])
        return numbers->known[node] - 1;
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
    numbers->known[node] = (uint32_t)number + 1;
    return (uint32_t)number;
}

static void push(struct export_stacks *stacks, size_t depth, uint32_t node)
{
    struct stack_numbers *numbers = stacks->numbers;
    if (depth == numbers->depths) {
        numbers->depths = depth ? depth * 2 : 64;
        stacks->frames =
            need(reallocarray(stacks->frames, numbers->depths, sizeof *stacks->frames));
    }
    stacks->frames[depth] = node;
}

size_t export_stacks_read(struct export_stacks *stacks, uint32_t leaf)
{
    size_t depth = 0;
    push(stacks, depth++, leaf);
    while ((leaf = stacks->numbers->parents[leaf]) != 0)
        push(stacks, depth++, leaf);
    for (size_t i = depth; i-- > 0;)
        stacks->frames[i] = number_of(stacks, stacks->frames[i]);
    return depth;
}
