/*
 * `top` for spreadsheets: a heading, a line for each row, sizes in bytes.  Runs
 * in the tools.
 */
#include "render/top.h"

#include <stdlib.h>
#include <string.h>

#include "render/csv.h"

static const char *const columns[VIEW_KEYS][4] = {
    [VIEW_CALLER] = {"filename", "lineno", "function"},
    [VIEW_LINENO] = {"filename", "lineno", "function"},
    [VIEW_FILENAME] = {"filename"},
    [VIEW_FUNCTION] = {"filename", "function"},
    [VIEW_MODULE] = {"module"},
    [VIEW_PACKAGE] = {"package"},
    [VIEW_TRACEBACK] = {"traceback"},
    [VIEW_DOMAIN] = {"domain"},
    [VIEW_THREAD] = {"pid", "tid", "thread"},
    [VIEW_PROCESS] = {"pid", "command"},
    [VIEW_NATIVE_FRAME] = {"native_frame"},
};

static void put_heading(struct csv *csv, enum view_key key)
{
    static const char *const amounts[] = {
        "size", "count", "python", "native", "allocated", "allocations"};
    for (size_t i = 0; columns[key][i]; i++)
        csv_text(csv, columns[key][i]);
    for (size_t i = 0; i < sizeof amounts / sizeof *amounts; i++)
        csv_text(csv, amounts[i]);
    csv_end_line(csv);
}

static void put_amount(struct csv *csv, const struct view_amount *amount)
{
    csv_number(csv, amount->size);
    csv_number(csv, amount->count);
    csv_number(csv, amount->python);
    csv_number(csv, amount->native);
    csv_number(csv, amount->allocated);
    csv_number(csv, amount->allocations);
    csv_end_line(csv);
}

/* Text that was printed to memory; the caller frees it. */
struct memory {
    char *text;
    size_t size;
    FILE *file;
};

static void memory_open(struct memory *memory)
{
    memory->file = open_memstream(&memory->text, &memory->size);
    if (!memory->file)
        abort();
}

static void put_memory(struct csv *csv, struct memory *memory)
{
    if (fclose(memory->file) != 0)
        abort();
    csv_text(csv, memory->text);
    free(memory->text);
}

/* file:line;file:line, most recent first. */
static void put_traceback(struct csv *csv, const struct report *report, uint32_t node)
{
    struct memory memory;
    memory_open(&memory);
    for (uint32_t at = node; at; at = report->trace.nodes[at].parent)
        fprintf(memory.file, "%s%s:%u", at == node ? "" : ";", report_file(report, at),
            report->trace.nodes[at].line);
    put_memory(csv, &memory);
}

static void put_process(struct csv *csv, const struct report *report, uint32_t process)
{
    struct memory memory;
    csv_number(csv, report->trace.processes[process].pid);
    memory_open(&memory);
    print_command(memory.file, report, process);
    put_memory(csv, &memory);
}

static void put_thread(struct csv *csv, const struct report *report, const struct trace_site *site)
{
    const struct trace_thread *thread = &report->trace.threads[site->thread];
    csv_number(csv, report->trace.processes[site->process].pid);
    csv_number(csv, thread->tid);
    csv_text(csv, report->trace.strings[thread->name].data);
}

static void put_frame(struct csv *csv, const struct report *report, uint32_t node)
{
    enum view_key key = report->options.view.key;
    csv_text(csv, report_file(report, node));
    if (key == VIEW_CALLER || key == VIEW_LINENO)
        csv_number(csv, report->trace.nodes[node].line);
    if (key != VIEW_FILENAME)
        csv_text(csv, node ? report_function(report, node) : TOP_NO_FRAME);
}

static void put_row(struct csv *csv, const struct report *report, const struct view_row *row)
{
    const struct trace_site *site = &report->trace.sites[row->site];
    switch (report->options.view.key) {
    case VIEW_DOMAIN:
        csv_text(csv, domain_names[site->domain]);
        break;
    case VIEW_THREAD:
        put_thread(csv, report, site);
        break;
    case VIEW_NATIVE_FRAME:
        csv_number(csv, site->native);
        break;
    case VIEW_MODULE:
    case VIEW_PACKAGE:
        csv_text(csv, row->node ? report_module(report, row->node) : TOP_NATIVE_CODE);
        break;
    case VIEW_PROCESS:
        put_process(csv, report, site->process);
        break;
    case VIEW_TRACEBACK:
        put_traceback(csv, report, row->node);
        break;
    default:
        put_frame(csv, report, row->node);
    }
    put_amount(csv, &row->amount);
}

void top_csv(FILE *file, const struct report *report, const struct view *view)
{
    struct csv csv = {.file = file};
    size_t shown = top_rows(report, view);
    put_heading(&csv, view->options->key);
    for (size_t i = 0; i < shown; i++)
        put_row(&csv, report, &view->rows[i]);
    for (int i = 0; i < VIEW_RESTS; i++) {
        if (!view->rest[i].count && !view->rest[i].allocations)
            continue;
        if (view->options->key == VIEW_CALLER) {
            csv_text(&csv, "");
            csv_number(&csv, 0);
        }
        csv_text(&csv, top_rest_names[i]);
        put_amount(&csv, &view->rest[i]);
    }
}
