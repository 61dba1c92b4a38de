/*
 * Rows over time (stack.h).  Runs in reports.  The rows are chosen first; then one
 * pass over the boundaries with a running sum for each of them.
 */
#include "trace/stack_parts.h"

#include <stdlib.h>
#include <string.h>

struct walk {
    struct stack *stack;
    const struct trace *trace;
    uint32_t only;   /* the process selected if it is one, else 0 */
    uint32_t *owner; /* by row of the view: the process that all its sites are of */
    uint32_t *curve; /* by row of the view: 1 + its rank, 0 if it was not chosen */
    int64_t *sums;   /* by rank */
    int64_t *known;  /* at the end of one process */
    int64_t *all;    /* n_rows for each point */
    size_t n_rows, capacity;
    int64_t *peak; /* at the peak, NULL if there is none */
};

void stack_add(int64_t *sum, int64_t change)
{
    *sum = (int64_t)((uint64_t)*sum + (uint64_t)change);
}

enum stack_point stack_point_of(
    const struct trace_boundary *boundary, uint32_t only, uint64_t *last_us)
{
    bool own = !boundary->process || boundary->process == only;
    if (boundary->dropped || boundary->time_us < *last_us ||
        (!own && boundary->kind != MT_BOUNDARY_END))
        return STACK_NO_POINT;
    *last_us = boundary->time_us;
    return own ? STACK_OF_ALL : STACK_OF_PROCESS;
}

static void add_rows(struct walk *walk, const struct trace_row *rows, size_t count)
{
    const struct view *view = &walk->stack->view;
    for (size_t k = 0; k < count; k++) {
        uint32_t row = view->row_of_site[rows[k].site];
        uint32_t curve = row ? walk->curve[row - 1] : 0;
        if (curve && view->processes[walk->trace->sites[rows[k].site].process])
            stack_add(&walk->sums[curve - 1], rows[k].bytes);
    }
}

static void add_point(struct walk *walk, uint64_t time_us, const int64_t *values)
{
    struct stack *stack = walk->stack;
    if (stack->n_points == walk->capacity) {
        walk->capacity = walk->capacity ? walk->capacity * 2 : 64;
        stack->times_us = reallocarray(stack->times_us, walk->capacity, sizeof *stack->times_us);
        walk->all = reallocarray(walk->all, walk->capacity, (walk->n_rows + 1) * sizeof *walk->all);
        if (!stack->times_us || !walk->all)
            abort();
    }
    stack->times_us[stack->n_points] = time_us;
    memcpy(walk->all + stack->n_points * walk->n_rows, values, walk->n_rows * sizeof *values);
    stack->n_points++;
}

/* The peak is known by its rows against the boundary that was written before it. */
static void find_peak(struct walk *walk, const struct trace_peak *peak)
{
    size_t size = (walk->n_rows + 1) * sizeof *walk->sums;
    int64_t *sums = walk->sums;
    walk->peak = arena_need(&walk->stack->view.arena, size);
    memcpy(walk->peak, sums, size);
    walk->sums = walk->peak;
    add_rows(walk, peak->rows, peak->count);
    walk->sums = sums;
}

/* That boundary may have been later than the peak. */
static void insert_peak(struct walk *walk, uint64_t time_us)
{
    struct stack *stack = walk->stack;
    size_t at = stack->n_points, size = walk->n_rows * sizeof *walk->all;
    while (at && stack->times_us[at - 1] > time_us)
        at--;
    add_point(
        walk, at < stack->n_points ? stack->times_us[stack->n_points - 1] : time_us, walk->peak);
    size_t moved = stack->n_points - 1 - at;
    int64_t *place = walk->all + at * walk->n_rows;
    memmove(&stack->times_us[at + 1], &stack->times_us[at], moved * sizeof *stack->times_us);
    memmove(place + walk->n_rows, place, moved * size);
    stack->times_us[at] = time_us;
    memcpy(place, walk->peak, size);
}

#define UNKNOWN INT64_MIN

static void find_owners(struct walk *walk)
{
    const struct view *view = &walk->stack->view;
    for (uint32_t i = 1; i < walk->trace->n_sites; i++) {
        uint32_t row = view->row_of_site[i], process = walk->trace->sites[i].process;
        if (!row || !view->processes[process])
            continue;
        uint32_t *owner = &walk->owner[row - 1];
        *owner = *owner && *owner != process ? STACK_SEVERAL : process;
    }
}

/* The end of a process tells of its own rows alone. */
static void add_end(struct walk *walk, const struct trace_boundary *boundary)
{
    for (size_t r = 0; r < walk->n_rows; r++)
        walk->known[r] =
            walk->owner[walk->stack->rows[r]] == boundary->process ? walk->sums[r] : UNKNOWN;
    add_point(walk, boundary->time_us, walk->known);
}

/* What a row held where nothing was known of it: on the line between the points around. */
static void fill_row(struct walk *walk, size_t row)
{
    const uint64_t *times = walk->stack->times_us;
    size_t n = walk->stack->n_points, before = 0, after = 0;
    int64_t *values = walk->all + row;
    for (size_t p = 0; p < n; p++) {
        after = after < p ? p : after;
        if (values[p * walk->n_rows] != UNKNOWN) {
            before = p;
            continue;
        }
        while (after < n && values[after * walk->n_rows] == UNKNOWN)
            after++;
        int64_t a = p ? values[before * walk->n_rows] : 0;
        int64_t b = after < n ? values[after * walk->n_rows] : a;
        uint64_t span = after < n ? times[after] - times[before] : 0;
        double part = span ? (double)(times[p] - times[before]) / (double)span : 0;
        values[p * walk->n_rows] = a + (int64_t)(part * ((double)b - (double)a));
        before = p;
    }
}

static void walk_boundaries(struct walk *walk)
{
    const struct trace *trace = walk->trace;
    const struct trace_peak *peak = walk->stack->view.peak;
    uint64_t last_us = 0;
    for (size_t i = 0; i < trace->n_boundaries; i++) {
        const struct trace_boundary *boundary = &trace->boundaries[i];
        enum stack_point point = stack_point_of(boundary, walk->only, &last_us);
        add_rows(walk, boundary->rows, boundary->count);
        if (point == STACK_OF_ALL)
            add_point(walk, boundary->time_us, walk->sums);
        else if (point == STACK_OF_PROCESS)
            add_end(walk, boundary);
        if (peak->present && peak->after == i + 1)
            find_peak(walk, peak);
    }
    if (walk->peak)
        insert_peak(walk, peak->time_us);
    for (size_t r = 0; r < walk->n_rows; r++)
        fill_row(walk, r);
}

/* From here on the walk has as many rows as were chosen. */
static void choose(struct walk *walk, size_t limit)
{
    struct stack *stack = walk->stack;
    stack_choose(stack, walk->trace, walk->owner, walk->only, limit);
    walk->curve = arena_need(&stack->view.arena, (stack->view.n_rows + 1) * sizeof *walk->curve);
    for (size_t r = 0; r < stack->n_rows; r++)
        walk->curve[stack->rows[r]] = (uint32_t)r + 1;
    walk->n_rows = stack->n_rows;
    walk->sums = arena_need(&stack->view.arena, (walk->n_rows + 1) * sizeof *walk->sums);
    walk->known = arena_need(&stack->view.arena, (walk->n_rows + 1) * sizeof *walk->known);
}

static void keep_values(struct walk *walk)
{
    struct stack *stack = walk->stack;
    size_t size = stack->n_points * stack->n_rows * sizeof *stack->values;
    stack->values = arena_need(&stack->view.arena, size);
    if (size)
        memcpy(stack->values, walk->all, size);
    free(walk->all);
}

enum view_error stack_make(struct stack *stack, const struct trace *trace,
    const struct view_options *options, size_t limit)
{
    *stack = (struct stack){0};
    enum view_error error = view_make(&stack->view, trace, options);
    if (error != VIEW_OK)
        return error;
    struct walk walk = {.stack = stack, .trace = trace};
    for (uint32_t p = 1; p < trace->n_processes && stack->view.n_processes == 1; p++)
        if (stack->view.processes[p])
            walk.only = p;
    walk.owner = arena_need(&stack->view.arena, (stack->view.n_rows + 1) * sizeof *walk.owner);
    find_owners(&walk);
    choose(&walk, limit);
    walk_boundaries(&walk);
    keep_values(&walk);
    stack_make_exact(stack, trace);
    return VIEW_OK;
}

void stack_free(struct stack *stack)
{
    free(stack->times_us);
    view_free(&stack->view);
    *stack = (struct stack){0};
}

double stack_value(const struct stack *stack, size_t row, uint64_t time_us)
{
    size_t low = 0, high = stack->n_points;
    while (low < high) { /* the first point that is not before */
        size_t middle = (low + high) / 2;
        if (stack->times_us[middle] < time_us)
            low = middle + 1;
        else
            high = middle;
    }
    if (stack->n_points == 0)
        return 0;
    size_t after = low < stack->n_points ? low : stack->n_points - 1;
    double b = (double)stack->values[after * stack->n_rows + row];
    if (after == 0 || stack->times_us[after] <= time_us)
        return b > 0 ? b : 0;
    double a = (double)stack->values[(after - 1) * stack->n_rows + row];
    double part = (double)(time_us - stack->times_us[after - 1]) /
                  (double)(stack->times_us[after] - stack->times_us[after - 1]);
    double value = a + part * (b - a);
    return value > 0 ? value : 0;
}
