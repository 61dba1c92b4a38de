/*
 * The first lines of a report: what, of what, when, how much.  Runs in the tools.
 */
#include "render/top.h"

#include <inttypes.h>

#include "render/escape.h"

static uint32_t first_process(const struct view *view)
{
    for (uint32_t i = 1; i < view->trace->n_processes; i++)
        if (view->processes[i])
            return i;
    return 0;
}

static void print_moment(FILE *file, const struct view *view)
{
    enum moment_kind kind = view->options->moment.kind;
    char time[FORMAT_SIZE];
    fprintf(file, "at %s ", view->options->moment.name);
    if (kind == MOMENT_PEAK)
        fprintf(file, "(%s) ", format_time(time, view->state.time_us));
    if (view->n_processes > 1 && kind == MOMENT_END)
        fprintf(file, "(sum of %zu processes, each at its own end) ", view->n_processes);
    else if (view->n_processes > 1)
        fprintf(file, "(sum of %zu processes) ", view->n_processes);
}

static void print_totals(FILE *file, const struct report *report, const struct view *view)
{
    enum units units = report->options.units;
    int64_t size = view->whole.size;
    char total[FORMAT_SIZE], python[FORMAT_SIZE], native[FORMAT_SIZE], mapped[FORMAT_SIZE];
    format_total(total, size, units);
    int decimals = units == UNITS_AUTO && total[2] != '.' && total[1] != '.' ? 0 : 1;
    fprintf(file, "%s: %s Python, %s native", total,
        format_part(python, view->whole.python, size, units, decimals),
        format_part(native, view->whole.native, size, units, decimals));
    if (view->mapped)
        fprintf(file, ", %s mapped apart", format_size(mapped, view->mapped, units));
}

static void print_peak(FILE *file, const struct report *report, const struct view *view)
{
    const struct trace_peak *peak = view->peak;
    char size[FORMAT_SIZE], time[FORMAT_SIZE];
    if (!peak->present || view->options->moment.kind == MOMENT_PEAK)
        return;
    format_beside(
        size, (int64_t)(peak->python + peak->native), view->whole.size, report->options.units);
    fprintf(file, " (peak %s at %s: --at peak)", size, format_time(time, peak->time_us));
}

void print_heading(FILE *file, const struct report *report, const struct view *view)
{
    uint32_t process = first_process(view);
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
    if (view->options->moment.kind == MOMENT_PEAK && view->state.nearest)
        fprintf(file, "the peak itself was not recorded: this is the highest boundary, at %s\n",
            format_time(time, view->state.time_us));
    print_cautions(file, report);
}
