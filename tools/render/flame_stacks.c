/*
 * Which stacks the page has.  Runs in the tools.  A browser is quick with some ten
 * thousand frames: of more those with the biggest branches are kept, and what is
 * below counts for the frame that led there.  Where thousands of threads have
 * their part of each, small parts are made one.
 */
#include <stdlib.h>
#include <string.h>

#include "render/flame_parts.h"
#include "trace/huge.h"

enum { NODES = 40000, ROWS = 100000 };

/* By node: the most that it and all that it called had.  No branch is less than one of its own. */
static double *branches(const struct data *data)
{
    const struct trace *trace = data->trace;
    double *branch = huge_calloc(trace->n_nodes, sizeof *branch);
    if (!branch)
        abort();
    for (uint32_t i = 1; i < trace->n_sites; i++)
        branch[trace->sites[i].stack] += (double)data->rank[i];
    for (size_t i = trace->n_nodes; i-- > 1;)
        branch[trace->nodes[i].parent] += branch[i];
    return branch;
}

/* Hoare's selection. */
double flame_value_at(double *values, size_t count, size_t rank)
{
    size_t low = 0, high = count - 1;
    while (low < high) {
        double pivot = values[low + (high - low) / 2];
        size_t i = low, k = high;
        for (;; i++, k--) {
            while (values[i] > pivot)
                i++;
            while (values[k] < pivot)
                k--;
            if (i >= k)
                break;
            double value = values[i];
            values[i] = values[k];
            values[k] = value;
        }
        if (rank <= k)
            high = k;
        else
            low = k + 1;
    }
    return values[rank];
}

/* Branches have to be larger than this; 0 if there is a place for all. */
static double least_branch(const double *branch, size_t count)
{
    double *values = huge_calloc(count, sizeof *values), least = 0;
    size_t n = 0;
    if (!values)
        abort();
    for (size_t i = 1; i < count; i++)
        if (branch[i] > 0)
            values[n++] = branch[i];
    if (n > NODES)
        least = flame_value_at(values, n, NODES);
    free(values);
    return least;
}

/* Parents come before their children, as they do in the trace. */
static void number_nodes(struct data *data)
{
    size_t n = data->trace->n_nodes;
    double *branch = branches(data), least = least_branch(branch, n);
    data->number = arena_need(&data->arena, n * sizeof *data->number);
    data->nodes = arena_need(&data->arena, n * sizeof *data->nodes);
    data->frames = arena_need(&data->arena, n * sizeof *data->frames);
    data->number[0] = NO_FRAMES;
    for (uint32_t i = 1; i < n; i++) {
        bool wanted = branch[i] > least;
        uint32_t parent = data->trace->nodes[i].parent;
        data->number[i] = wanted   ? (int32_t)data->n_nodes
                          : parent ? data->number[parent]
                                   : SMALL_STACKS;
        if (wanted)
            data->nodes[data->n_nodes++] = i;
    }
    free(branch);
}

static bool is_native(const struct data *data, uint32_t site)
{
    return !domain_is_python(data->trace->sites[site].domain);
}

uint32_t flame_row(struct data *data, struct row row)
{
    uint64_t key = (uint64_t)(uint32_t)(row.node + 1) << 32 | row.thread << 1 | row.is_native;
    uint32_t *number = table_at(&data->numbers, key);
    if (!*number) {
        if (data->n_rows == data->capacity) {
            data->capacity = data->capacity ? data->capacity * 2 : 1024;
            data->rows = reallocarray(data->rows, data->capacity, sizeof *data->rows);
            if (!data->rows)
                abort();
        }
        data->rows[data->n_rows] = row;
        *number = (uint32_t)++data->n_rows;
    }
    return *number - 1;
}

static void make_rows(struct data *data)
{
    for (uint32_t site = 1; site < data->trace->n_sites; site++) {
        const struct trace_site *at = &data->trace->sites[site];
        if (data->rank[site] > 0)
            data->row_of_site[site] = flame_row(
                data, (struct row){data->number[at->stack], at->thread, is_native(data, site)});
    }
}

/* Those that are no more than `least` lose their thread, not their stack. */
static void merge_rows(struct data *data, const double *ranks, double least)
{
    struct row *old = data->rows;
    data->rows = NULL;
    data->n_rows = data->capacity = 0;
    data->merged_threads = true;
    table_free(&data->numbers);
    for (uint32_t site = 1; site < data->trace->n_sites; site++) {
        if (data->rank[site] <= 0)
            continue;
        struct row row = old[data->row_of_site[site]];
        if (ranks[data->row_of_site[site]] <= least)
            row.thread = data->trace->n_threads;
        data->row_of_site[site] = flame_row(data, row);
    }
    free(old);
}

static void bound_rows(struct data *data)
{
    double *ranks = calloc(data->n_rows, sizeof *ranks);
    double *copy = calloc(data->n_rows, sizeof *copy);
    if (!ranks || !copy)
        abort();
    for (uint32_t site = 1; site < data->trace->n_sites; site++)
        if (data->rank[site] > 0)
            ranks[data->row_of_site[site]] += (double)data->rank[site];
    memcpy(copy, ranks, data->n_rows * sizeof *copy);
    merge_rows(data, ranks, flame_value_at(copy, data->n_rows, ROWS));
    free(ranks);
    free(copy);
}

void flame_stacks(struct data *data)
{
    number_nodes(data);
    data->row_of_site = arena_need(&data->arena, data->trace->n_sites * sizeof *data->row_of_site);
    make_rows(data);
    if (data->n_rows > ROWS)
        bound_rows(data);
}
