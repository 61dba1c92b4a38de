/*
 * `top` for spreadsheets: a heading, a line for each row, sizes in bytes.  Runs
 * in the tools.
 */
#include "render/top.h"

#include <stdlib.h>
#include <string.h>

#include "render/parts_csv.h"
#include "trace/natives.h"

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
    const char *separator = "";
    for (uint32_t at = node; at; at = report->trace.nodes[at].parent) {
        if (report->trace.nodes[at].native)
            continue;
        fprintf(memory.file, "%s%s:%u", separator, report_file(report, at),
            report->trace.nodes[at].line);
        separator = ";";
    }
    put_memory(csv, &memory);
}

static void put_process(struct csv *csv, const struct report *report, const struct view_row *row)
{
    struct memory memory;
    uint32_t process = report->trace.sites[row->site].process;
    csv_number(csv, row->folded ? 0 : report->trace.processes[process].pid);
    memory_open(&memory);
    if (row->folded)
        fprintf(memory.file, "%u small processes", row->folded);
    else
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

void csv_row_name(struct csv *csv, const struct report *report, const struct view_row *row)
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
        csv_native(csv, report, site->native);
        break;
    case VIEW_PROCESS:
        put_process(csv, report, row);
        break;
    case VIEW_TRACEBACK:
        put_traceback(csv, report, row->node);
        csv_native(csv, report, site->native);
        break;
    case VIEW_MODULE:
        if (!row->node && natives_library(&report->trace, site->native))
            csv_text(csv, natives_library(&report->trace, site->native));
        else
            csv_frame(csv, report, row->node);
        break;
    default:
        csv_frame(csv, report, row->node);
    }
}

void csv_rest_name(struct csv *csv, enum view_key key, enum view_rest rest)
{
    if (key == VIEW_CALLER) {
        csv_text(csv, "");
        csv_number(csv, 0);
    }
    csv_text(csv, top_rest_names[rest]);
}

void top_csv(FILE *file, const struct report *report, const struct view *view)
{
    struct csv csv = {.file = file, .samples = report_samples(report), .touched = view->untouched};
    size_t shown = top_rows(report, view);
    csv_key_columns(&csv, view->options->key);
    csv_amount_columns(&csv);
    csv_end_line(&csv);
    for (size_t i = 0; i < shown; i++) {
        csv_row_name(&csv, report, &view->rows[i]);
        csv_amount(&csv, &view->rows[i].amount);
        csv_end_line(&csv);
    }
    for (int i = 0; i < VIEW_RESTS; i++) {
        if (!view->rest[i].count && !view->rest[i].allocations)
            continue;
        csv_rest_name(&csv, view->options->key, (enum view_rest)i);
        csv_amount(&csv, &view->rest[i]);
        csv_end_line(&csv);
    }
}
