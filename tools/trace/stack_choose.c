/*
 * Which rows of a view ever held most (stack.h).  Runs in reports.  One pass over
 * the boundaries with a running sum for each row.  What each held at each point
 * is not kept: ten thousand processes make as many points, and rows times points
 * would not fit into memory.
 */
#include <stdlib.h>

#include "trace/stack_parts.h"

struct choice {
    struct stack *stack;
    const struct trace *trace;
    const uint32_t *owners; /* by row */
    size_t n_rows;
    int64_t *sums, *most; /* by row */
    uint32_t *owned;      /* rows, those of one process behind one another */
    size_t *ends;         /* by process: where in these its own end */
    uint32_t *touched;    /* rows that have changed since the last point of all */
    bool *is_touched;     /* by row */
    size_t n_touched;
};

static void *need(struct choice *choice, size_t count, size_t size)
{
    return arena_need(&choice->stack->view.arena, (count + 1) * size);
}

static void sort_by_owner(struct choice *choice)
{
    size_t *ends = choice->ends, sum = 0;
    for (size_t row = 0; row < choice->n_rows; row++)
        if (choice->owners[row] != STACK_SEVERAL)
            ends[choice->owners[row]]++;
    for (uint32_t p = 0; p < choice->trace->n_processes; p++) {
        size_t own = ends[p];
        ends[p] = sum;
        sum += own;
    }
    for (uint32_t row = 0; row < choice->n_rows; row++)
        if (choice->owners[row] != STACK_SEVERAL)
            choice->owned[ends[choice->owners[row]]++] = row;
}

static void add_rows(
    struct choice *choice, const struct trace_row *rows, size_t count, int64_t sign)
{
    const struct view *view = &choice->stack->view;
    for (size_t k = 0; k < count; k++) {
        uint32_t row = view->row_of_site[rows[k].site];
        if (!row || !view->processes[choice->trace->sites[rows[k].site].process])
            continue;
        row--;
        stack_add(&choice->sums[row], (int64_t)((uint64_t)sign * (uint64_t)rows[k].bytes));
        if (!choice->is_touched[row])
            choice->touched[choice->n_touched++] = row;
        choice->is_touched[row] = true;
    }
}

static void look_at(struct choice *choice, uint32_t row)
{
    if (choice->sums[row] > choice->most[row])
        choice->most[row] = choice->sums[row];
}

static void look_at_touched(struct choice *choice)
{
    for (size_t i = 0; i < choice->n_touched; i++)
        look_at(choice, choice->touched[i]);
}

static void forget_touched(struct choice *choice)
{
    for (size_t i = 0; i < choice->n_touched; i++)
        choice->is_touched[choice->touched[i]] = false;
    choice->n_touched = 0;
}

static void look_at_process(struct choice *choice, uint32_t process)
{
    for (size_t i = process ? choice->ends[process - 1] : 0; i < choice->ends[process]; i++)
        look_at(choice, choice->owned[i]);
}

static void walk_boundaries(struct choice *choice, uint32_t only)
{
    const struct trace *trace = choice->trace;
    const struct trace_peak *peak = choice->stack->view.peak;
    uint64_t last_us = 0;
    for (size_t i = 0; i < trace->n_boundaries; i++) {
        const struct trace_boundary *boundary = &trace->boundaries[i];
        enum stack_point point = stack_point_of(boundary, only, &last_us);
        add_rows(choice, boundary->rows, boundary->count, 1);
        if (point == STACK_OF_ALL) {
            look_at_touched(choice);
            forget_touched(choice);
        } else if (point == STACK_OF_PROCESS) {
            look_at_process(choice, boundary->process);
        }
        if (peak->present && peak->after == i + 1) {
            add_rows(choice, peak->rows, peak->count, 1);
            look_at_touched(choice);
            add_rows(choice, peak->rows, peak->count, -1);
        }
    }
}

struct ranked {
    uint32_t row;
    int64_t most;
};

static int by_most(const void *a, const void *b)
{
    const struct ranked *left = a, *right = b;
    if (left->most != right->most)
        return left->most > right->most ? -1 : 1;
    return left->row < right->row ? -1 : left->row > right->row;
}

static void rank(struct choice *choice, size_t limit)
{
    struct stack *stack = choice->stack;
    struct ranked *ranked = need(choice, choice->n_rows, sizeof *ranked);
    size_t some = 0;
    for (uint32_t row = 0; row < choice->n_rows; row++)
        if (choice->most[row] > 0)
            ranked[some++] = (struct ranked){row, choice->most[row]};
    qsort(ranked, some, sizeof *ranked, by_most);
    stack->n_rows = limit && limit < some ? limit : some;
    stack->n_others = some - stack->n_rows;
    stack->rows = need(choice, stack->n_rows, sizeof *stack->rows);
    for (size_t r = 0; r < stack->n_rows; r++)
        stack->rows[r] = ranked[r].row;
}

void stack_choose(struct stack *stack, const struct trace *trace, const uint32_t *owners,
    uint32_t only, size_t limit)
{
    struct choice choice = {
        .stack = stack, .trace = trace, .owners = owners, .n_rows = stack->view.n_rows};
    choice.sums = need(&choice, choice.n_rows, sizeof *choice.sums);
    choice.most = need(&choice, choice.n_rows, sizeof *choice.most);
    choice.owned = need(&choice, choice.n_rows, sizeof *choice.owned);
    choice.ends = need(&choice, trace->n_processes, sizeof *choice.ends);
    choice.touched = need(&choice, choice.n_rows, sizeof *choice.touched);
    choice.is_touched = need(&choice, choice.n_rows, sizeof *choice.is_touched);
    sort_by_owner(&choice);
    walk_boundaries(&choice, only);
    rank(&choice, limit);
}
