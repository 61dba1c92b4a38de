/*
 * When what the page shows was born, for its chart in the order of time.  Runs in
 * the tools.
 */
#include <stdlib.h>

#include "render/flame_parts.h"
#include "trace/cohorts.h"

enum { BIRTHS = 100000 }; /* more make a page that browsers are slow with */

/* Makes those of one row and interval one.  They are in the order of births, before and after. */
static void merge_births(struct page_births *births, size_t n_rows)
{
    size_t *last = calloc(n_rows + 1, sizeof *last); /* by row: 1 + index of what is kept */
    size_t kept = 0;
    if (!last)
        abort();
    for (size_t i = 0; i < births->count; i++) {
        const struct page_birth *birth = &births->all[i];
        struct page_birth *same = last[birth->row] ? &births->all[last[birth->row] - 1] : NULL;
        if (same && same->birth == birth->birth) {
            same->size += birth->size;
            same->count += birth->count;
            continue;
        }
        births->all[kept++] = *birth;
        last[birth->row] = kept;
    }
    births->count = kept;
    free(last);
}

/* The size that as many have as there may be. */
static double least_size(const struct page_births *births)
{
    double *sizes = calloc(births->count, sizeof *sizes);
    if (!sizes)
        abort();
    for (size_t i = 0; i < births->count; i++)
        sizes[i] = (double)births->all[i].size;
    double least = flame_value_at(sizes, births->count, BIRTHS);
    free(sizes);
    return least;
}

/* By node: the first of its stack, as the page numbers it. */
static int32_t *first_frames(const struct data *data)
{
    const struct trace *trace = data->trace;
    int32_t *first = calloc(trace->n_nodes, sizeof *first);
    if (!first)
        abort();
    for (uint32_t i = 1; i < trace->n_nodes; i++)
        first[i] = trace->nodes[i].parent ? first[trace->nodes[i].parent] : data->number[i];
    return first;
}

/* Where there are too many, small ones count for the frame that their stacks begin with. */
static void raise_births(struct data *data, struct page_births *births)
{
    double least = least_size(births);
    int32_t *first = first_frames(data);
    for (size_t i = 0; i < births->count; i++) {
        struct row row = data->rows[births->all[i].row];
        if ((double)births->all[i].size > least || row.node < 0)
            continue;
        row.node = first[data->nodes[row.node]];
        births->all[i].row = flame_row(data, row);
    }
    free(first);
    merge_births(births, data->n_rows);
}

struct page_births flame_births(struct data *data)
{
    struct page_births births = {0};
    struct borns borns = {0};
    if (!data->report->options.view.interval)
        borns = borns_make(data->view, &data->arena);
    births.all = arena_need(&data->arena, borns.count * sizeof *births.all);
    for (size_t i = 0; i < borns.count; i++) {
        const struct born *born = &borns.all[i];
        if (data->rank[born->site] > 0)
            births.all[births.count++] = (struct page_birth){
                data->row_of_site[born->site], born->birth, born->size, born->count};
    }
    merge_births(&births, data->n_rows);
    if (births.count > BIRTHS)
        raise_births(data, &births);
    return births;
}
