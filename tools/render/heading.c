/*
 * The first lines of a report: what, of what, when, how much.  Runs in the tools.
 */
#include "render/top.h"

#include <inttypes.h>

#include "render/escape.h"
#include "render/fit.h"
#include "render/info.h"
#include "render/look.h"
#include "render/moments.h"
#include "render/running.h"
#include "trace/processes.h"

static size_t count_small(const struct view *view)
{
    size_t small = 0;
    for (uint32_t i = 1; i < view->trace->n_processes; i++)
        small += view->processes[i] && process_is_small(view->trace, i);
    return small < view->n_processes ? small : 0;
}

/* "(sum of 5 processes and 3 small ones, each at its own end) " */
static void print_processes(FILE *file, const struct view *view)
{
    size_t small = count_small(view), large = view->n_processes - small;
    if (view->n_processes < 2)
        return;
    fputc('(', file);
    if (large > 1)
        fprintf(file, "sum of %zu processes", large);
    if (small)
        fprintf(file, "%s %zu small %s", large > 1 ? " and" : "with", small,
            large > 1   ? (small > 1 ? "ones" : "one")
            : small > 1 ? "processes"
                        : "process");
    if (view->at.kind == MOMENT_END)
        fputs(", each at its own end", file);
    fputs(") ", file);
}

/* "running, 3 h 12 m, " or "not complete: ends at 12.4 s, ", for what has no end yet. */
static void print_running(FILE *file, const struct trace *trace)
{
    char time[FORMAT_SIZE];
    uint64_t elapsed_us;
    if (trace_is_running(trace, &elapsed_us))
        fprintf(file, "running, %s, ", format_time(time, elapsed_us));
    else if (!trace->sealed)
        fprintf(file, "not complete: ends at %s, ", format_time(time, info_duration(trace)));
}

static void print_moment(FILE *file, const struct view *view)
{
    print_running(file, view->trace);
    if (view->options->interval) {
        fputs("allocated after ", file);
        print_from(file, view);
        fputs(" and live ", file);
    }
    fputs("at ", file);
    print_at(file, view);
    fputc(' ', file);
    print_processes(file, view);
}

static void print_totals(FILE *file, const struct report *report, const struct view *view)
{
    enum units units = report->options.units;
    int64_t size = view->whole.size;
    char total[FORMAT_SIZE], python[FORMAT_SIZE], native[FORMAT_SIZE], mapped[FORMAT_SIZE];
    char error[FORMAT_SIZE];
    format_total(total, size, units);
    format_total_error(error, view_size_error(view->trace, &view->whole), size, units);
    int decimals = units == UNITS_AUTO && total[2] != '.' && total[1] != '.' ? 0 : 1;
    fprintf(file, "%s%s: %s Python, %s native", total, error,
        format_part(python, view->whole.python, size, units, decimals),
        format_part(native, view->whole.native, size, units, decimals));
    fputs(format_touched(mapped, size, view->whole.untouched, units), file);
    if (view->mapped)
        fprintf(file, ", %s mapped apart", format_size(mapped, view->mapped, units));
    if (view->files)
        fprintf(file, " (%s of files)", format_size(mapped, view->files, units));
    if (view->inherited.size)
        fprintf(file, ", %s inherited", format_size(mapped, view->inherited.size, units));
}

static void print_peak(FILE *file, const struct report *report, const struct view *view)
{
    const struct trace_peak *peak = view->peak;
    char size[FORMAT_SIZE], time[FORMAT_SIZE];
    if (!peak->present || view->at.kind == MOMENT_PEAK || view->options->interval)
        return;
    format_beside(
        size, (int64_t)(peak->python + peak->native), view->whole.size, report->options.units);
    fprintf(file, " (peak %s at %s: --at peak)", size, format_time(time, peak->time_us));
}

static void print_all(FILE *file, const struct report *report, const struct view *view)
{
    uint32_t process = process_of_interest(view->trace, view->processes);
    char time[FORMAT_SIZE];
    print_name(file, report->trace.path);
    fputs("  ", file);
    if (process) {
        print_command(file, report, process);
        fputs("  ", file);
    }
    print_moment(file, view);
    print_totals(file, report, view);
    print_peak(file, report, view);
    fputc('\n', file);
    if (view->at.kind == MOMENT_PEAK && view->state.nearest)
        fprintf(file, "the peak itself was not recorded: this is the highest boundary, at %s\n",
            format_time(time, view->state.time_us));
    print_cautions(file, report);
}

void print_heading(FILE *file, const struct report *report, const struct view *view)
{
    FILE *lines = fit_wrap(file, look_of(file).width);
    print_all(lines, report, view);
    fit_close(lines, file);
}
