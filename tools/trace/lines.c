/*
 * Rows of callers by file, and over time (lines.h).  Runs in reports.
 */
#include "trace/lines.h"

#include <stdlib.h>
#include <string.h>

/* ---- files ---- */

static const char *file_of(const struct trace *trace, uint32_t node)
{
    return trace->strings[trace->functions[trace->nodes[node].function].file].data;
}

/* True if `name` is the end of the path, whole directories of it. */
static bool is_called(const char *path, const char *name)
{
    size_t size = strlen(name), whole = strlen(path);
    while (size > 2 && name[0] == '.' && name[1] == '/') {
        name += 2;
        size -= 2;
    }
    return size && size <= whole && strcmp(path + whole - size, name) == 0 &&
           (size == whole || *name == '/' || path[whole - size - 1] == '/');
}

static bool is_wanted(const char *path, char *const *names, size_t n_names)
{
    for (size_t i = 0; i < n_names; i++)
        if (is_called(path, names[i]))
            return true;
    return n_names == 0;
}

/* Rows of one file become neighbours, in the order of their lines. */
static int compare_rows(const void *a, const void *b, void *context)
{
    const struct trace *trace = context;
    const struct view_row *left = *(const struct view_row *const *)a,
                          *right = *(const struct view_row *const *)b;
    int order = strcmp(file_of(trace, left->node), file_of(trace, right->node));
    uint32_t x = trace->nodes[left->node].line, y = trace->nodes[right->node].line;
    return order ? order : x < y ? -1 : x > y;
}

static int64_t metric_of(enum view_sort sort, const struct view_amount *amount)
{
    const int64_t metrics[VIEW_SORTS] = {
        amount->size, amount->count, amount->allocated, amount->allocations};
    return metrics[sort];
}

static void add_line(struct lines *lines, const struct view_row *row)
{
    const struct trace *trace = lines->view.trace;
    const char *name = file_of(trace, row->node);
    struct line_file *file = lines->n_files ? &lines->files[lines->n_files - 1] : NULL;
    if (!file || strcmp(file->name, name) != 0) {
        file = &lines->files[lines->n_files++];
        file->name = name;
        file->lines = (file == lines->files) ? NULL : file[-1].lines + file[-1].n_lines;
    }
    view_amount_add(&file->amount, &row->amount);
    file->metric = metric_of(lines->sort, &file->amount);
    file->n_lines++;
}

static int compare_files(const void *a, const void *b)
{
    const struct line_file *left = a, *right = b;
    if (left->metric != right->metric)
        return left->metric > right->metric ? -1 : 1;
    return strcmp(left->name, right->name);
}

static void make_files(struct lines *lines, char *const *names, size_t n_names)
{
    struct view *view = &lines->view;
    const struct view_row **rows = arena_need(&view->arena, view->n_rows * sizeof *rows);
    size_t n = 0;
    for (size_t i = 0; i < view->n_rows; i++)
        if (view->rows[i].node &&
            is_wanted(file_of(view->trace, view->rows[i].node), names, n_names))
            rows[n++] = &view->rows[i];
    if (n)
        qsort_r(rows, n, sizeof *rows, compare_rows, (void *)view->trace);
    lines->files = arena_need(&view->arena, n * sizeof *lines->files);
    struct line *all = arena_need(&view->arena, n * sizeof *all);
    for (size_t i = 0; i < n; i++) {
        all[i] = (struct line){.line = view->trace->nodes[rows[i]->node].line, .row = rows[i]};
        add_line(lines, rows[i]);
        if (i == 0)
            lines->files[0].lines = all;
    }
    if (lines->n_files)
        qsort(lines->files, lines->n_files, sizeof *lines->files, compare_files);
}

/* ---- over time ---- */

enum { TIMES = 1000 }; /* and all boundaries of all processes */

struct walk {
    struct lines *lines;
    struct line **of_row; /* by row of the view, NULL: not shown */
    int64_t *sums;        /* by row */
    size_t *ends;         /* by process: what comes later is not its own any more */
    size_t last;
    uint32_t *changed; /* rows that have since they were looked at, */
    bool *is_changed;  /* by row */
    size_t n_changed;
    uint64_t step_us; /* ends of processes are as far from what comes before, */
    size_t final;     /* but for the last of all */
};

/* `at`: the boundary that they are written in. */
static void add_rows(
    struct walk *walk, const struct trace_row *rows, size_t count, size_t at, int sign)
{
    const struct view *view = &walk->lines->view;
    for (size_t i = 0; i < count; i++) {
        uint32_t row = view->row_of_site[rows[i].site];
        uint32_t process = view->trace->sites[rows[i].site].process;
        if (!row || !walk->of_row[row - 1] || !view->sites[rows[i].site] ||
            !view->processes[process] || at >= walk->ends[process])
            continue;
        row--;
        walk->sums[row] = (int64_t)((uint64_t)walk->sums[row] + (uint64_t)(sign * rows[i].bytes));
        if (!walk->is_changed[row])
            walk->changed[walk->n_changed++] = row;
        walk->is_changed[row] = true;
    }
}

static void note_peaks(struct walk *walk)
{
    for (size_t i = 0; i < walk->n_changed; i++) {
        uint32_t row = walk->changed[i];
        struct line *line = walk->of_row[row];
        line->peak = walk->sums[row] > line->peak ? walk->sums[row] : line->peak;
        walk->is_changed[row] = false;
    }
    walk->n_changed = 0;
}

static void note_time(struct walk *walk, uint64_t time_us)
{
    struct lines *lines = walk->lines;
    size_t point = lines->n_times++;
    lines->times_us[point] = time_us;
    for (size_t f = 0; f < lines->n_files; f++)
        for (size_t i = 0; i < lines->files[f].n_lines; i++) {
            struct line *line = &lines->files[f].lines[i];
            line->series[point] = walk->sums[line->row - lines->view.rows];
        }
}

/* What is left after the end of a complete trace is no moment. */
static bool is_point(const struct trace *trace, const struct trace_boundary *boundary)
{
    return !boundary->dropped && (boundary->kind != MT_BOUNDARY_LAST || !trace->sealed) &&
           (!boundary->process || boundary->kind == MT_BOUNDARY_END);
}

/* Of processes by the thousand not each end is a time of its own. */
static bool is_time(const struct walk *walk, size_t i)
{
    const struct lines *lines = walk->lines;
    const struct trace_boundary *boundary = &lines->view.trace->boundaries[i];
    uint64_t before = lines->n_times ? lines->times_us[lines->n_times - 1] : 0;
    bool near = boundary->process && i != walk->final && boundary->time_us < before + walk->step_us;
    return boundary->time_us >= before && !near;
}

static void walk_boundaries(struct walk *walk)
{
    const struct trace *trace = walk->lines->view.trace;
    const struct trace_peak *peak = walk->lines->view.peak;
    for (size_t i = 0; i < walk->last; i++) {
        const struct trace_boundary *boundary = &trace->boundaries[i];
        add_rows(walk, boundary->rows, boundary->count, i, 1);
        if (is_point(trace, boundary)) {
            note_peaks(walk);
            if (is_time(walk, i))
                note_time(walk, boundary->time_us);
        }
        if (peak->present && peak->after == i + 1) {
            add_rows(walk, peak->rows, peak->count, 0, 1);
            note_peaks(walk);
            add_rows(walk, peak->rows, peak->count, 0, -1);
        }
    }
}

/* How many times there may be; of ends at most TIMES. */
static size_t count_times(struct walk *walk)
{
    const struct trace *trace = walk->lines->view.trace;
    size_t of_all = 0, ends = 0;
    uint64_t last_us = 0;
    for (size_t i = 0; i < walk->last; i++) {
        const struct trace_boundary *boundary = &trace->boundaries[i];
        if (!is_point(trace, boundary))
            continue;
        *(boundary->process ? &ends : &of_all) += 1;
        walk->final = i;
        last_us = boundary->time_us > last_us ? boundary->time_us : last_us;
    }
    if (ends <= TIMES)
        return of_all + ends;
    walk->step_us = last_us / TIMES + 1;
    return of_all + TIMES + 1;
}

static void make_series(struct lines *lines)
{
    struct view *view = &lines->view;
    struct walk walk = {.lines = lines};
    walk.of_row = arena_need(&view->arena, (view->n_rows + 1) * sizeof *walk.of_row);
    walk.sums = arena_need(&view->arena, (view->n_rows + 1) * sizeof *walk.sums);
    walk.changed = arena_need(&view->arena, (view->n_rows + 1) * sizeof *walk.changed);
    walk.is_changed = arena_need(&view->arena, (view->n_rows + 1) * sizeof *walk.is_changed);
    walk.ends = arena_need(&view->arena, view->trace->n_processes * sizeof *walk.ends);
    moment_ends(view->trace, walk.ends);
    for (size_t p = 1; p < view->trace->n_processes; p++)
        if (view->processes[p] && walk.ends[p] > walk.last)
            walk.last = walk.ends[p];
    size_t n_times = count_times(&walk);
    lines->times_us = arena_need(&view->arena, n_times * sizeof *lines->times_us);
    for (size_t f = 0; f < lines->n_files; f++) {
        for (size_t i = 0; i < lines->files[f].n_lines; i++) {
            struct line *line = &lines->files[f].lines[i];
            line->series = arena_need(&view->arena, n_times * sizeof *line->series);
            line->peak = line->row->amount.size;
            walk.of_row[line->row - view->rows] = line;
        }
    }
    walk_boundaries(&walk);
}

/* ---- the whole ---- */

static enum view_error make_view(struct lines *lines, const struct trace *trace)
{
    lines->options.key = VIEW_CALLER;
    lines->options.cumulative = false;
    lines->options.sort = VIEW_CHURN_SIZE; /* which keeps lines that hold nothing now */
    lines->options.limit = 1;              /* nobody asks for the `via` of rows */
    return view_make(&lines->view, trace, &lines->options);
}

static void add_mine(struct lines *lines, const char *pattern)
{
    lines->mine = reallocarray(lines->mine, lines->n_mine + 1, sizeof *lines->mine);
    char *copy = strdup(pattern);
    if (!lines->mine || !copy)
        abort();
    lines->mine[lines->n_mine++] = copy;
}

/* Files of libraries are nobody's own: then those that were asked for are. */
static bool claim_files(struct lines *lines, char *const *names, size_t n_names)
{
    const struct trace *trace = lines->view.trace;
    bool *seen = arena_need(&lines->view.arena, trace->n_strings);
    for (size_t i = 1; i < trace->n_functions; i++) {
        uint32_t file = trace->functions[i].file;
        const char *name = trace->strings[file].data;
        if (seen[file] || !is_wanted(name, names, n_names) || name[strcspn(name, "*?[")])
            continue;
        seen[file] = true;
        add_mine(lines, name);
    }
    lines->options.mine = lines->mine;
    lines->options.n_mine = lines->n_mine;
    return lines->n_mine > 0;
}

enum view_error lines_make(struct lines *lines, const struct trace *trace,
    const struct view_options *options, char *const *names, size_t n_names, size_t limit)
{
    *lines = (struct lines){.options = *options, .sort = options->sort};
    enum view_error error = make_view(lines, trace);
    if (error != VIEW_OK)
        return error;
    make_files(lines, names, n_names);
    if (!lines->n_files && n_names && !options->n_mine && claim_files(lines, names, n_names)) {
        view_free(&lines->view);
        error = make_view(lines, trace);
        if (error != VIEW_OK)
            return error;
        make_files(lines, names, n_names);
    }
    if (!n_names && limit && lines->n_files > limit) {
        lines->n_left_out = lines->n_files - limit;
        lines->n_files = limit;
    }
    make_series(lines);
    return VIEW_OK;
}

void lines_free(struct lines *lines)
{
    view_free(&lines->view);
    for (size_t i = 0; i < lines->n_mine; i++)
        free(lines->mine[i]);
    free(lines->mine);
}
