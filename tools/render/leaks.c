/*
 * `leaks` for people.  Runs in the tools.
 */
#include "render/leaks.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "render/escape.h"
#include "render/fit.h"
#include "render/look.h"
#include "render/output.h"
#include "render/spark.h"
#include "render/top.h"

enum { SPARKS = 12, STOPPED_SHOWN = 5 };

size_t leaks_shown(const struct leaks_report *shown)
{
    size_t limit = shown->report->options.view.limit, n = shown->leaks->n_growing;
    return limit && limit < n ? limit : n;
}

/* "+20.3 KiB/s": in the unit of time in which it is at least a kibibyte, hours at the most. */
static void print_pace(FILE *file, double size_per_s, enum units units)
{
    static const struct {
        double seconds;
        const char *name;
    } times[] = {{1, "s"}, {60, "min"}, {3600, "h"}};
    char size[FORMAT_SIZE];
    size_t i = 0;
    while (i < 2 && size_per_s * times[i].seconds < 1024)
        i++;
    format_size(size, format_whole(size_per_s * times[i].seconds), units);
    fprintf(file, "+%s/%s", size, times[i].name);
}

static void print_per_mark(FILE *file, const struct leaks_report *shown, const struct leak *leak)
{
    const struct leaks *leaks = shown->leaks;
    double seconds = (double)(leaks->end_us - leaks->warm_up_us) / 1e6;
    double each = leak->size_per_s * seconds / (double)leaks->marks;
    char size[FORMAT_SIZE];
    fprintf(file, " (%s for each ", format_size(size, format_whole(each), shown->report->options.units));
    print_name(file, shown->options->per);
    fputc(')', file);
}

static void print_history(FILE *file, const struct leaks *leaks, const struct leak *leak)
{
    const struct cohort_row *row = leak->history;
    uint64_t *times = calloc(row->n_points, sizeof *times), end;
    int64_t *sizes = calloc(row->n_points, sizeof *sizes), values[SPARKS];
    if (!times || !sizes)
        abort();
    for (size_t p = 0; p < row->n_points; p++) {
        times[p] = row->points[p].time_us;
        sizes[p] = row->points[p].size;
    }
    end = times[row->n_points - 1];
    spark_sample(values, SPARKS, leaks->warm_up_us < end ? leaks->warm_up_us : 0, end, times, sizes,
        row->n_points);
    print_spark(file, values, SPARKS);
    free(times);
    free(sizes);
}

/* How much of what was allocated since has gone again. */
static void print_freed(FILE *file, const struct leak *leak)
{
    double freed = 100 * (1 - (double)leak->kept / (double)leak->allocated);
    if (leak->kept >= leak->allocated)
        fputs("none freed", file);
    else if (freed >= 99.95)
        fprintf(file, "1 byte in %.0f stays", (double)leak->allocated / (double)leak->kept);
    else
        fprintf(file, "%.*f%% freed", freed < 1 || freed > 99 ? 1 : 0, freed);
}

static void print_leak_name(FILE *file, const struct leaks_report *shown, const struct leak *leak)
{
    const struct view *view = &shown->leaks->view;
    if (leak->row < view->n_rows)
        print_row_name(file, shown->report, &view->rows[leak->row]);
    else
        fputs(top_rest_names[leak->row - view->n_rows], file);
}

static void print_ellipsis(FILE *file)
{
    fputs(output_utf8() ? "\xe2\x80\xa6" : "...", file);
}

/* The native frames that allocate most of a row, above its last Python frame, a line each:
   "native grow (table.c:17) in table.so". */
static void print_natives(FILE *file, const struct report *report, uint32_t site)
{
    const struct trace_node *nodes = report->trace.nodes;
    size_t left = report->options.frames;
    for (uint32_t at = report->trace.sites[site].stack; nodes[at].native; at = nodes[at].parent) {
        fputs("    native ", file);
        if (report->options.frames && !left--) {
            print_ellipsis(file);
            fputc('\n', file);
            break;
        }
        print_native_frame(file, report, at, true);
        fputc('\n', file);
    }
}

/* Who called the frame that a row is about: "called from a.py:33 handle, a.py:60 <module>". */
static void print_callers(FILE *file, const struct report *report, uint32_t node)
{
    const struct trace_node *nodes = report->trace.nodes;
    size_t left = report->options.frames;
    uint32_t at = nodes[node].parent;
    if (!at)
        return;
    fputs("    called from ", file);
    for (bool first = true; at; at = nodes[at].parent, first = false) {
        fputs(first ? "" : ", ", file);
        if (report->options.frames && !left--) {
            print_ellipsis(file);
            break;
        }
        print_place(file, report, at);
        fputc(' ', file);
        print_name(file, report_function(report, at));
    }
    fputc('\n', file);
}

static void print_stack(FILE *file, const struct leaks_report *shown, const struct leak *leak)
{
    const struct view *view = &shown->leaks->view;
    enum view_key key = view->options->key;
    if (leak->row >= view->n_rows)
        return;
    const struct view_row *row = &view->rows[leak->row];
    if (key == VIEW_TRACEBACK) {
        print_whole_stack(file, shown->report, row);
        return;
    }
    if (key <= VIEW_LINENO)
        print_row_source(file, shown->report, row);
    if (key <= VIEW_FUNCTION && key != VIEW_FILENAME && row->node) {
        print_natives(file, shown->report, row->site);
        print_callers(file, shown->report, row->node);
    }
}

static void print_leak(FILE *file, const struct leaks_report *shown, size_t i)
{
    const struct leak *leak = &shown->leaks->growing[i];
    enum units units = shown->report->options.units;
    char size[FORMAT_SIZE], error[FORMAT_SIZE], time[FORMAT_SIZE];
    fprintf(file, "#%zu: ", i + 1);
    print_leak_name(file, shown, leak);
    fputs(": ", file);
    print_pace(file, leak->size_per_s, units);
    if (shown->options->per)
        print_per_mark(file, shown, leak);
    fprintf(file, ", %s%s now  ", format_size(size, leak->size, units),
        format_error(error, leaks_size_error(shown->leaks, leak), leak->size, units));
    print_history(file, shown->leaks, leak);
    fprintf(file, "  oldest %s, ", format_time(time, leak->oldest_us));
    print_freed(file, leak);
    fputc('\n', file);
    print_stack(file, shown, leak);
}

static void print_stopped(FILE *file, const struct leaks_report *shown)
{
    const struct leaks *leaks = shown->leaks;
    enum units units = shown->report->options.units;
    char size[FORMAT_SIZE], error[FORMAT_SIZE], time[FORMAT_SIZE];
    for (size_t i = 0; i < leaks->n_stopped && i < STOPPED_SHOWN; i++) {
        const struct leak *leak = &leaks->stopped[i];
        fprintf(file, "stopped growing at %s: ", format_time(time, leak->stopped_us));
        print_leak_name(file, shown, leak);
        fprintf(file, "  %s%s\n", format_size(size, leak->size, units),
            format_error(error, leaks_size_error(leaks, leak), leak->size, units));
    }
    if (leaks->n_stopped > STOPPED_SHOWN)
        fprintf(file, "%zu more that stopped\n", leaks->n_stopped - STOPPED_SHOWN);
}

/* "3 growing, 2 caches that stopped, over 41 s after a warm-up of 6 s" */
static void print_summary(FILE *file, const struct leaks_report *shown)
{
    const struct leaks *leaks = shown->leaks;
    char window[FORMAT_SIZE], warm_up[FORMAT_SIZE];
    if (leaks->n_growing)
        fprintf(file, "%zu growing", leaks->n_growing);
    else
        fputs("nothing keeps growing", file);
    if (leaks->n_stopped)
        fprintf(file, ", %zu that grew and stopped", leaks->n_stopped);
    fprintf(file, ", over %s", format_time(window, leaks->end_us - leaks->warm_up_us));
    if (leaks->warm_up_us)
        fprintf(file, " after a warm-up of %s", format_time(warm_up, leaks->warm_up_us));
    if (shown->options->per)
        fprintf(file, ", in which %s came %zu time%s", shown->options->per, leaks->marks,
            leaks->marks == 1 ? "" : "s");
    fputc('\n', file);
    if (leaks->short_trace)
        fputs("too short to tell: let it run for some seconds more\n", file);
}

void leaks_text(FILE *file, const struct leaks_report *shown)
{
    size_t n = leaks_shown(shown);
    FILE *lines = fit_wrap(file, look_of(file).width);
    print_heading(lines, shown->report, &shown->leaks->view);
    fputc('\n', lines);
    print_summary(lines, shown);
    for (size_t i = 0; i < n; i++)
        print_leak(lines, shown, i);
    if (n < shown->leaks->n_growing)
        fprintf(lines, "%zu more growing, slower\n", shown->leaks->n_growing - n);
    print_stopped(lines, shown);
    fit_close(lines, file);
}
