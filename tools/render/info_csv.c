/*
 * `info` for spreadsheets: a line for each process.  Runs in the tools.
 */
#include "render/info.h"

#include <stdlib.h>
#include <string.h>

#include "render/csv.h"

static void put_heading(struct csv *csv)
{
    static const char *const columns[] = {"pid", "parent", "origin", "path", "command", "python",
        "python_version", "start", "end", "status", "samples", "max_rss", "max_pss", "peak",
        "events", "unknown_frees", "duplicate_allocations", "inherited_frees", "gap_events",
        "gap_bytes"};
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        csv_text(csv, columns[i]);
    csv_end_line(csv);
}

/* What is not known is empty. */
static void put_known(struct csv *csv, bool known, int64_t number)
{
    if (known)
        csv_number(csv, number);
    else
        csv_text(csv, "");
}

static void put_seconds(struct csv *csv, bool known, uint64_t time_us)
{
    char seconds[32];
    snprintf(seconds, sizeof seconds, "%.6f", (double)time_us / 1e6);
    csv_text(csv, known ? seconds : "");
}

static void put_command(struct csv *csv, const struct report *report, uint32_t id)
{
    char *text = NULL;
    size_t size;
    FILE *file = open_memstream(&text, &size);
    if (!file)
        abort();
    print_command(file, report, id);
    if (fclose(file) != 0)
        abort();
    csv_text(csv, text);
    free(text);
}

static void put_who(struct csv *csv, const struct report *report, uint32_t id)
{
    const struct trace *trace = &report->trace;
    const struct trace_process *process = &trace->processes[id];
    csv_number(csv, process->pid);
    put_known(csv, process->parent, trace->processes[process->parent].pid);
    csv_text(csv, process->origin == MT_ORIGIN_FORK ? "fork" : "exec");
    csv_text(csv, trace->strings[process->path].data);
    put_command(csv, report, id);
    csv_text(csv, info_python_names[process->traced]);
    csv_text(csv, trace->strings[process->python].data);
    put_seconds(csv, true, process->start_us);
    put_seconds(csv, process->ended, process->end_us);
    put_known(csv, process->ended, process->status);
}

static void put_memory(struct csv *csv, const struct trace *trace, uint32_t id)
{
    const struct trace_process *process = &trace->processes[id];
    const struct trace_share *share = info_share(trace, id);
    const struct trace_peak *peak = &trace->peaks[id];
    csv_number(csv, (int64_t)trace->timelines[id].count);
    put_known(csv, process->ended, (int64_t)process->max_rss);
    put_known(csv, share, share ? (int64_t)share->pss : 0);
    put_known(csv, peak->present, (int64_t)(peak->python + peak->native));
}

static void put_counters(struct csv *csv, const struct trace_process *process)
{
    const uint64_t counters[] = {process->events, process->unknown_frees,
        process->duplicate_allocations, process->inherited_frees, process->gap_events,
        process->gap_bytes};
    for (size_t i = 0; i < sizeof counters / sizeof *counters; i++)
        put_known(csv, process->ended, (int64_t)counters[i]);
}

void info_csv(FILE *file, const struct report *report)
{
    struct csv csv = {.file = file};
    put_heading(&csv);
    for (uint32_t i = 1; i < report->trace.n_processes; i++) {
        put_who(&csv, report, i);
        put_memory(&csv, &report->trace, i);
        put_counters(&csv, &report->trace.processes[i]);
        csv_end_line(&csv);
    }
}
