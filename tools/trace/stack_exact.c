/*
 * Rows over time from the events of a trace that keeps them all (stack.h).  Runs in
 * reports.  One pass over the log: changes are added up between the points.
 */
#include <stdlib.h>
#include <string.h>

#include "trace/logs.h"
#include "trace/stack_parts.h"

enum { POINTS = 1000 }; /* beside the boundaries */

struct exact {
    const struct trace *trace;
    struct stack *stack;
    uint32_t *curve_of_site; /* 1 + the rank of its row, 0 for none */
    bool *known;             /* by rank: the log has all of it */
    int64_t *held;           /* by site, of those */
    uint32_t *first, *next;  /* sites that have a curve: the first by process, the next by site */
    uint64_t *times_us;
    int64_t *values, *changes;
    size_t n_points;
};

static int by_time(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return left < right ? -1 : left > right;
}

/* The points that there are, and as many between the first and the last. */
static void choose_times(struct exact *exact)
{
    struct stack *stack = exact->stack;
    uint64_t first = stack->times_us[0], last = stack->times_us[stack->n_points - 1];
    exact->n_points = stack->n_points + POINTS;
    exact->times_us = calloc(exact->n_points, sizeof *exact->times_us);
    if (!exact->times_us)
        abort();
    memcpy(exact->times_us, stack->times_us, stack->n_points * sizeof *stack->times_us);
    for (size_t i = 0; i < POINTS; i++)
        exact->times_us[stack->n_points + i] = first + (last - first) * (i + 1) / (POINTS + 1);
    qsort(exact->times_us, exact->n_points, sizeof *exact->times_us, by_time);
}

/* What is inherited or mapped for arenas is not in the log: such rows stay as they are. */
static void choose_sites(struct exact *exact)
{
    struct stack *stack = exact->stack;
    struct view *view = &stack->view;
    uint32_t *rank = arena_need(&view->arena, (view->n_rows + 1) * sizeof *rank);
    exact->curve_of_site =
        arena_need(&view->arena, exact->trace->n_sites * sizeof *exact->curve_of_site);
    exact->held = arena_need(&view->arena, exact->trace->n_sites * sizeof *exact->held);
    exact->known = arena_need(&view->arena, stack->n_rows + 1);
    exact->first = arena_need(&view->arena, exact->trace->n_processes * sizeof *exact->first);
    exact->next = arena_need(&view->arena, exact->trace->n_sites * sizeof *exact->next);
    memset(exact->known, true, stack->n_rows);
    for (size_t r = 0; r < stack->n_rows; r++)
        rank[stack->rows[r] + 1] = (uint32_t)r + 1;
    for (uint32_t i = 1; i < exact->trace->n_sites; i++) {
        const struct trace_site *site = &exact->trace->sites[i];
        uint32_t curve = rank[view->row_of_site[i]];
        exact->curve_of_site[i] = curve;
        if (!curve)
            continue;
        if (!domain_is_live(site->domain))
            exact->known[curve - 1] = false;
        exact->next[i] = exact->first[site->process];
        exact->first[site->process] = i;
    }
}

static void change(struct exact *exact, uint64_t time_us, uint32_t site, int64_t bytes)
{
    size_t low = 0, high = exact->n_points, n_rows = exact->stack->n_rows;
    while (low < high) { /* the first point that is not before */
        size_t middle = (low + high) / 2;
        if (exact->times_us[middle] < time_us)
            low = middle + 1;
        else
            high = middle;
    }
    stack_add(&exact->held[site], bytes);
    if (low < exact->n_points)
        stack_add(&exact->changes[low * n_rows + exact->curve_of_site[site] - 1], bytes);
}

static void end_process(struct exact *exact, uint32_t process, uint64_t time_us)
{
    for (uint32_t i = exact->first[process]; i; i = exact->next[i])
        if (exact->held[i])
            change(exact, time_us, i, -exact->held[i]);
}

static bool walk_log(struct exact *exact)
{
    const struct trace *trace = exact->trace;
    struct logs logs = {.trace = trace};
    for (size_t i = 0; i < trace->n_logs && !logs.failed; i++) {
        const struct trace_log *chunk = &trace->logs[i];
        if (!exact->stack->view.processes[chunk->process])
            continue;
        const struct log_event *events = logs_read(&logs, chunk);
        for (size_t k = 0; events && k < chunk->count; k++) {
            if (events[k].kind == LOG_OVER)
                end_process(exact, chunk->process, events[k].time_us);
            else if (exact->curve_of_site[events[k].site])
                change(exact, events[k].time_us, events[k].site, logs_bytes(trace, &events[k]));
        }
    }
    bool good = !logs.failed;
    logs_close(&logs);
    return good;
}

static void add_up(struct exact *exact)
{
    size_t n_rows = exact->stack->n_rows;
    for (size_t r = 0; r < n_rows; r++) {
        int64_t sum = 0;
        for (size_t p = 0; p < exact->n_points; p++) {
            stack_add(&sum, exact->changes[p * n_rows + r]);
            exact->values[p * n_rows + r] =
                exact->known[r] ? sum : (int64_t)stack_value(exact->stack, r, exact->times_us[p]);
        }
    }
}

void stack_make_exact(struct stack *stack, const struct trace *trace)
{
    struct exact exact = {.trace = trace, .stack = stack};
    if (!trace->n_logs || stack->n_points < 2 || !stack->n_rows)
        return;
    choose_times(&exact);
    choose_sites(&exact);
    size_t size = exact.n_points * stack->n_rows * sizeof *exact.values;
    exact.values = arena_need(&stack->view.arena, size);
    exact.changes = arena_need(&stack->view.arena, size);
    if (walk_log(&exact)) {
        add_up(&exact);
        free(stack->times_us);
        stack->times_us = exact.times_us;
        stack->values = exact.values;
        stack->n_points = exact.n_points;
    } else {
        free(exact.times_us);
    }
}
