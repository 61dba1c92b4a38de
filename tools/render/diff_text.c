/*
 * `diff` for people: lines as tracemalloc prints a StatisticDiff.  Runs in the
 * tools.
 */
#include "render/diff.h"

#include <inttypes.h>
#include <string.h>

#include "render/escape.h"
#include "render/fit.h"
#include "render/look.h"
#include "render/moments.h"
#include "render/running.h"
#include "render/top.h"
#include "trace/processes.h"
#include "trace/weight.h"

const char *const diff_kind_names[DIFF_KINDS] = {"changed", "new", "gone", "noise", "same"};

size_t diff_rows(const struct diff_report *about)
{
    size_t limit = about->sides[0].report->options.view.limit, n = about->diff->n_changed;
    return limit && limit < n ? limit : n;
}

const struct report *diff_report_of(const struct diff_report *about, const struct diff_row *row)
{
    size_t i = about->n_sides - 1;
    while (i && about->sides[i].view != row->view)
        i--;
    return about->sides[i].report;
}

int64_t diff_error(const struct diff_report *about, const struct diff_row *row)
{
    bool churn = view_sorts_churn(about->sides[0].view->options->sort);
    const struct trace *old = about->sides[0].view->trace;
    const struct trace *now = about->sides[about->n_sides - 1].view->trace;
    return weight_error_of_two(churn ? row->before.allocated_spread : row->before.spread,
        old->sample_bytes, churn ? row->now.allocated_spread : row->now.spread, now->sample_bytes);
}

char *format_change(char buffer[FORMAT_SIZE], int64_t bytes, enum units units)
{
    char size[FORMAT_SIZE];
    snprintf(buffer, FORMAT_SIZE, "%s%.38s", bytes < 0 ? "" : "+", format_size(size, bytes, units));
    return buffer;
}

static void print_side(FILE *file, const char *name, const struct diff_side *side)
{
    const struct view *view = side->view;
    uint32_t process = process_of_interest(view->trace, view->processes);
    char size[FORMAT_SIZE], error[FORMAT_SIZE];
    fprintf(file, "%s: ", name);
    print_name(file, view->trace->path);
    fputs("  ", file);
    if (process) {
        print_command(file, side->report, process);
        fputs("  ", file);
    }
    if (!view->trace->sealed)
        fputs("not complete, ", file);
    if (view->options->interval) {
        fputs("allocated after ", file);
        print_from(file, view);
        fputs(" and live ", file);
    }
    fputs("at ", file);
    print_at(file, view);
    fprintf(file, " %s%s\n", format_total(size, view->total.size, side->report->options.units),
        format_total_error(error, view_size_error(view->trace, &view->total), view->total.size,
            side->report->options.units));
    print_cautions(file, side->report);
}

static enum paint paint_of(int64_t change)
{
    return change > 0 ? PAINT_HOT : change < 0 ? PAINT_GOOD : PAINT_NONE;
}

static void print_metric(FILE *file, const struct diff_report *about, int64_t metric)
{
    enum view_sort sort = about->sides[0].view->options->sort;
    char size[FORMAT_SIZE];
    if (sort == VIEW_COUNT || sort == VIEW_CHURN_COUNT)
        fprintf(file, "%" PRId64, metric);
    else
        fputs(format_size(size, metric, about->sides[0].report->options.units), file);
}

/* What the old runs had, if there are several. */
static void print_range(FILE *file, const struct diff_report *about, const struct diff_row *row)
{
    if (about->diff->n_old < 2)
        return;
    fputs(", before ", file);
    print_metric(file, about, row->low);
    if (row->low == row->high)
        return;
    fputs(" to ", file);
    print_metric(file, about, row->high);
}

/* size=69.1 KiB (+19.5 KiB), count=21 (+0), average=3368 B */
static void print_amounts(
    FILE *file, const struct diff_report *about, const struct diff_row *row, struct look look)
{
    enum units units = about->sides[0].report->options.units;
    bool churn = view_sorts_churn(about->sides[0].view->options->sort);
    const struct view_amount *now = &row->now, *before = &row->before;
    int64_t size = churn ? now->allocated : now->size,
            count = churn ? now->allocations : now->count;
    int64_t more = size - (churn ? before->allocated : before->size);
    char text[FORMAT_SIZE], change[FORMAT_SIZE], error[FORMAT_SIZE], average[FORMAT_SIZE];
    enum paint paint = paint_of(row->change);
    fprintf(file, "%s=%s (%s%s%s%s), count=%" PRId64 " (%+" PRId64 ")",
        churn ? "allocated" : "size", format_size(text, size, units), look_paint(&look, paint),
        format_change(change, more, units), look_end(&look, paint),
        format_error(error, diff_error(about, row), more, units), count,
        count - (churn ? before->allocations : before->count));
    if (count)
        fprintf(file, ", average=%s", format_average(average, size, count, units));
    print_range(file, about, row);
}

static void print_source(FILE *file, const struct report *report, const struct diff_row *row)
{
    struct source_text source = {0};
    if (row->rest < 0 && row->row->node && report->options.view.key <= VIEW_LINENO)
        source = sources_of_node(report->sources, row->row->node);
    if (!source.text)
        return;
    fputs("    ", file);
    print_escaped(file, source.text, source.size);
    fputc('\n', file);
}

static void print_frames(FILE *file, const struct report *report, const struct diff_row *row)
{
    if (report->options.view.key == VIEW_TRACEBACK && row->rest < 0)
        print_whole_stack(file, report, row->row);
}

static void print_row(
    FILE *file, const struct diff_report *about, const struct diff_row *row, struct look look)
{
    const struct report *report = diff_report_of(about, row);
    if (row->rest >= 0)
        fputs(top_rest_names[row->rest], file);
    else if (row->row->node && report->options.view.key == VIEW_CALLER)
        print_place(file, report, row->row->node);
    else
        print_row_name(file, report, row->row);
    fputs(": ", file);
    print_amounts(file, about, row, look);
    if (row->kind == DIFF_NEW || row->kind == DIFF_GONE)
        fprintf(file, "  %s", diff_kind_names[row->kind]);
    fputc('\n', file);
    print_source(file, report, row);
    print_frames(file, report, row);
}

static void print_others(FILE *file, const struct diff_report *about, size_t shown)
{
    const struct diff *diff = about->diff;
    int64_t sum = 0;
    char change[FORMAT_SIZE];
    for (size_t i = shown; i < diff->n_changed; i++)
        sum += diff->rows[i].now.size - diff->rows[i].before.size;
    if (shown < diff->n_changed)
        fprintf(file, "%zu other: %s\n", diff->n_changed - shown,
            format_change(change, sum, about->sides[0].report->options.units));
    if (diff->counts[DIFF_NOISE])
        fprintf(file, "%zu within the noise of %zu runs\n", diff->counts[DIFF_NOISE], diff->n_old);
    if (diff->counts[DIFF_SAME])
        fprintf(file, "%zu unchanged\n", diff->counts[DIFF_SAME]);
}

void diff_text(FILE *file, const struct diff_report *about)
{
    const struct diff_side *now = &about->sides[about->n_sides - 1];
    struct look look = look_of(file);
    FILE *lines = fit_wrap(file, look.width);
    size_t shown = diff_rows(about);
    for (size_t i = 0; i + 1 < about->n_sides; i++)
        print_side(lines, "old", &about->sides[i]);
    print_side(lines, "new", now);
    if (shown)
        fprintf(lines, "\nTop %zu difference%s\n", shown, shown == 1 ? "" : "s");
    else
        fputs("\nNo differences\n", lines);
    for (size_t i = 0; i < shown; i++)
        print_row(lines, about, &about->diff->rows[i], look);
    print_others(lines, about, shown);
    fputs("Total: ", lines);
    print_amounts(lines, about, &about->diff->total, look);
    fputc('\n', lines);
    fit_close(lines, file);
}
