/*
 * Every event of a trace that keeps them all, as CSV: one line each.  Runs in the
 * tools; the log is read a chunk at a time.
 */
#include "render/export.h"

#include <inttypes.h>

#include "render/csv.h"
#include "render/progress.h"
#include "trace/logs.h"

static const char *const kind_names[LOG_KINDS] = {
    "alloc", "free", "realloc-from", "realloc", "map", "unmap", "unmap-part", "unmap-part", "end"};

static void put_heading(struct csv *csv)
{
    static const char *const columns[] = {"seconds", "pid", "tid", "event", "address", "size",
        "domain", "filename", "lineno", "function"};
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        csv_text(csv, columns[i]);
    csv_end_line(csv);
}

/* The line that allocated the block. */
static void put_place(struct csv *csv, const struct report *report, uint32_t site)
{
    uint32_t node = report->trace.sites[site].node;
    csv_text(csv, site ? domain_names[report->trace.sites[site].domain] : "");
    csv_text(csv, node ? report_file(report, node) : "");
    csv_number(csv, report->trace.nodes[node].line);
    csv_text(csv, node ? report_function(report, node) : "");
}

static void put_event(struct csv *csv, const struct report *report, const struct trace_log *chunk,
    const struct log_event *event)
{
    const struct trace *trace = &report->trace;
    char seconds[32], address[32] = "";
    snprintf(seconds, sizeof seconds, "%" PRIu64 ".%06" PRIu64, event->time_us / 1000000,
        event->time_us % 1000000);
    if (event->address)
        snprintf(address, sizeof address, "0x%" PRIx64, event->address);
    csv_text(csv, seconds);
    csv_number(csv, trace->processes[chunk->process].pid);
    csv_number(csv, trace->threads[event->thread].tid);
    csv_text(csv, kind_names[event->kind]);
    csv_text(csv, address);
    csv_number(csv, (int64_t)event->size);
    put_place(csv, report, event->site);
    csv_end_line(csv);
}

bool export_events(
    FILE *file, const struct report *report, const struct view *view, const char **why)
{
    struct logs logs = {.trace = &report->trace};
    struct csv csv = {.file = file};
    *why = report->trace.n_logs ? "the events cannot be read: it is a pipe, or damaged"
                                : "it does not have every event: record it with `run --full`";
    put_heading(&csv);
    for (size_t i = 0; i < report->trace.n_logs; i++) {
        progress_at(i, report->trace.n_logs);
        const struct trace_log *chunk = &report->trace.logs[i];
        const struct log_event *events =
            view->processes[chunk->process] ? logs_read(&logs, chunk) : NULL;
        for (size_t k = 0; events && k < chunk->count; k++)
            if (!events[k].site || view->sites[events[k].site])
                put_event(&csv, report, chunk, &events[k]);
    }
    bool good = report->trace.n_logs && !logs.failed;
    logs_close(&logs);
    return good;
}
