/*
 * When what the page shows was born, for its chart in the order of time.  Runs in
 * the tools.
 */
#include <stdlib.h>

#include "render/flame_parts.h"
#include "trace/cohorts.h"

enum { BIRTHS = 100000 }; /* more make a page that browsers are slow with */

/* Makes those of one row and interval one. */
static void merge_births(struct page_births *births)
{
    struct table numbers = {0}; /* 1 + index of what is kept */
    size_t kept = 0;
    for (size_t i = 0; i < births->count; i++) {
        const struct page_birth *birth = &births->all[i];
        uint32_t *number = table_at(&numbers, (uint64_t)birth->row << 32 | birth->birth);
        if (*number) {
            births->all[*number - 1].size += birth->size;
            births->all[*number - 1].count += birth->count;
            continue;
        }
        births->all[kept++] = *birth;
        *number = (uint32_t)kept;
    }
    births->count = kept;
    table_free(&numbers);
}

static int by_size(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return left > right ? -1 : left < right;
}

/* The size that as many have as there may be. */
static int64_t least_size(const struct page_births *births)
{
    int64_t *sizes = calloc(births->count, sizeof *sizes);
    if (!sizes)
        abort();
    for (size_t i = 0; i < births->count; i++)
        sizes[i] = births->all[i].size;
    qsort(sizes, births->count, sizeof *sizes, by_size);
    int64_t least = sizes[BIRTHS];
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
    int64_t least = least_size(births);
    int32_t *first = first_frames(data);
    for (size_t i = 0; i < births->count; i++) {
        struct row row = data->rows[births->all[i].row];
        if (births->all[i].size > least || row.node == NO_FRAMES)
            continue;
        row.node = first[data->nodes[row.node]];
        births->all[i].row = flame_row(data, row);
    }
    free(first);
    merge_births(births);
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
    merge_births(&births);
    if (births.count > BIRTHS)
        raise_births(data, &births);
    return births;
}
