/*
 * What a plot shows beside its curves: marks, regions, the limit of the
 * container and the biggest rows of a key.  Runs in reports.
 */
#include "render/plot.h"

#include <stdlib.h>
#include <string.h>

#include "render/plot_words.h"
#include "render/top.h"
#include "trace/meta.h"

static bool within(const struct plot *plot, uint64_t from_us, uint64_t to_us)
{
    return from_us <= plot->to_us && to_us >= plot->from_us;
}

static void copy_name(char name[PLOT_NAME], const struct trace *trace, uint32_t string)
{
    snprintf(name, PLOT_NAME, "%s", trace->strings[string].data);
    plot_shorten(name, 32);
}

static bool add_marks(struct plot *plot)
{
    const struct trace *trace = plot->trace;
    plot->marks = calloc(PLOT_MARKS, sizeof *plot->marks);
    for (size_t i = 0; plot->marks && i < trace->n_boundaries && plot->n_marks < PLOT_MARKS; i++) {
        const struct trace_boundary *boundary = &trace->boundaries[i];
        bool named = boundary->name &&
                     (boundary->kind == MT_BOUNDARY_MARK || boundary->kind == MT_BOUNDARY_DROPPED);
        if (!named || !within(plot, boundary->time_us, boundary->time_us))
            continue;
        struct plot_mark *mark = &plot->marks[plot->n_marks++];
        mark->time_us = boundary->time_us;
        copy_name(mark->name, trace, boundary->name);
    }
    return plot->marks != NULL;
}

/* ---- regions ---- */

static int by_length(const void *a, const void *b)
{
    const struct trace_region *const *left = a, *const *right = b;
    uint64_t x = (*left)->end_us - (*left)->start_us, y = (*right)->end_us - (*right)->start_us;
    if (x != y)
        return x > y ? -1 : 1;
    return *left < *right ? -1 : *left > *right;
}

static int by_start(const void *a, const void *b)
{
    const struct plot_band *left = a, *right = b;
    if (left->from_us != right->from_us)
        return left->from_us < right->from_us ? -1 : 1;
    return left->to_us > right->to_us ? -1 : left->to_us < right->to_us;
}

/* The longest ones, if there are too many. */
static bool gather_bands(struct plot *plot, const bool *selected)
{
    const struct trace *trace = plot->trace;
    const struct trace_region **found = calloc(trace->n_regions + 1, sizeof *found);
    size_t n = 0;
    plot->bands = calloc(PLOT_BANDS, sizeof *plot->bands);
    for (size_t i = 0; found && i < trace->n_regions; i++)
        if (selected[trace->regions[i].process] &&
            within(plot, trace->regions[i].start_us, trace->regions[i].end_us))
            found[n++] = &trace->regions[i];
    bool good = found && plot->bands;
    if (good)
        qsort(found, n, sizeof *found, by_length);
    for (size_t i = 0; good && i < n && i < PLOT_BANDS; i++) {
        struct plot_band *band = &plot->bands[plot->n_bands++];
        band->from_us = found[i]->start_us;
        band->to_us = found[i]->end_us;
        copy_name(band->name, trace, found[i]->name);
    }
    free(found);
    return good;
}

static unsigned color_of(const struct plot *plot, size_t i, unsigned *n_colors)
{
    for (size_t k = 0; k < i; k++)
        if (strcmp(plot->bands[k].name, plot->bands[i].name) == 0)
            return plot->bands[k].color;
    return (*n_colors)++;
}

/* The first lane that is free; what finds none shares the last one. */
static void lay_bands(struct plot *plot)
{
    uint64_t ends[PLOT_LANES] = {0};
    bool used[PLOT_LANES] = {false};
    unsigned n_colors = 0;
    qsort(plot->bands, plot->n_bands, sizeof *plot->bands, by_start);
    for (size_t i = 0; i < plot->n_bands; i++) {
        struct plot_band *band = &plot->bands[i];
        unsigned lane = 0;
        while (lane + 1 < PLOT_LANES && used[lane] && band->from_us < ends[lane])
            lane++;
        band->crowded = used[lane] && band->from_us < ends[lane];
        used[lane] = true;
        ends[lane] = ends[lane] > band->to_us ? ends[lane] : band->to_us;
        band->lane = lane;
        band->color = color_of(plot, i, &n_colors);
        plot->n_lanes = lane + 1 > plot->n_lanes ? lane + 1 : plot->n_lanes;
    }
}

static bool add_bands(struct plot *plot, const struct report *report)
{
    bool *selected = calloc(plot->trace->n_processes, sizeof *selected);
    if (!selected)
        return false;
    filter_processes(&report->options.view.filter, plot->trace, selected);
    bool good = gather_bands(plot, selected);
    free(selected);
    if (good)
        lay_bands(plot);
    return good;
}

/* ---- the biggest rows of a key ---- */

static void name_row(struct plot *plot, const struct report *report, size_t i)
{
    char *text = NULL;
    size_t size;
    FILE *file = open_memstream(&text, &size);
    if (!file)
        abort();
    print_row_name(file, report, &plot->stack.view.rows[plot->stack.rows[i]]);
    fclose(file);
    plot_shorten_head(text, 44);
    snprintf(plot->stack_names[i], PLOT_ROW_NAME, "%s", text);
    free(text);
}

static enum plot_error add_stack(struct plot *plot, const struct report *report, size_t limit)
{
    struct view_options options = report->options.view;
    options.sort = VIEW_CHURN_SIZE; /* a row for all that ever was */
    if (!limit || limit > PLOT_STACKED)
        limit = PLOT_STACKED;
    plot->stacked = true;
    if (stack_make(&plot->stack, plot->trace, &options, limit) != VIEW_OK)
        return PLOT_ERROR_EMPTY;
    plot->stack.view.options = NULL; /* those of the report may go */
    plot->stack_names = calloc(plot->stack.n_rows + 1, sizeof *plot->stack_names);
    if (!plot->stack_names)
        return PLOT_ERROR_MEMORY;
    for (size_t i = 0; i < plot->stack.n_rows; i++)
        name_row(plot, report, i);
    return PLOT_OK;
}

enum plot_error plot_add_extras(
    struct plot *plot, const struct report *report, const struct plot_options *options)
{
    struct meta meta;
    meta_read(&meta, plot->trace);
    plot->limit = meta.memory_limit;
    if (!add_marks(plot) || !add_bands(plot, report))
        return PLOT_ERROR_MEMORY;
    return options->stacked ? add_stack(plot, report, options->limit) : PLOT_OK;
}
