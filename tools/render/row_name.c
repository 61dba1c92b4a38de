/*
 * What rows of a view are called in text.  Runs in the tools.
 */
#include <inttypes.h>

#include "render/escape.h"
#include "render/top.h"
#include "trace/natives.h"
#include "trace/stacks.h"

const char *top_no_frame(enum view_key key)
{
    return key == VIEW_MODULE || key == VIEW_PACKAGE ? TOP_NATIVE_CODE : TOP_NO_FRAME;
}

void print_place(FILE *file, const struct report *report, uint32_t node)
{
    print_name(file, report_file(report, node));
    fprintf(file, ":%u", report->trace.nodes[node].line);
}

void print_thread_name(FILE *file, const struct trace *trace, uint32_t id)
{
    const struct trace_thread *thread = &trace->threads[id];
    if (!thread->name) {
        fprintf(file, "thread %d", thread->tid);
        return;
    }
    print_name(file, trace->strings[thread->name].data);
    if (thread->tid)
        fprintf(file, " (%d)", thread->tid);
}

static void print_thread(FILE *file, const struct report *report, const struct trace_site *site)
{
    const struct trace *trace = &report->trace;
    if (trace->n_processes > 2)
        fprintf(file, "process %d ", trace->processes[site->process].pid);
    if (!site->thread)
        fputs("no thread", file);
    else
        print_thread_name(file, trace, site->thread);
}

void print_native_name(FILE *file, const struct report *report, uint32_t native)
{
    enum view_key key = report->options.view.key;
    char name[NATIVE_NAME];
    print_name(file, natives_name(name, sizeof name, &report->trace, native, key));
}

void print_native_frame(FILE *file, const struct report *report, uint32_t node, bool with_offset)
{
    const struct trace *trace = &report->trace;
    const struct trace_native *at = &trace->natives[trace->nodes[node].native];
    const char *library = natives_library(trace, trace->nodes[node].native);
    print_name(file, report_function(report, node));
    if (at->line) {
        fputs(" (", file);
        print_place(file, report, node);
        fputc(')', file);
    } else if (with_offset && at->function && !at->is_inlined)
        fprintf(file, "+0x%" PRIx64, at->offset);
    if (library && at->function) {
        fputs(" in ", file);
        print_name(file, library);
    }
    if (with_offset && at->is_inlined)
        fputs(" (inlined)", file);
}

void print_node_name(FILE *file, const struct report *report, uint32_t node)
{
    enum view_key key = report->options.view.key;
    if (!node)
        fputs(top_no_frame(key), file);
    else if (key == VIEW_MODULE || key == VIEW_PACKAGE)
        print_name(file, report_module(report, node));
    else if (report->trace.nodes[node].native && key != VIEW_FILENAME) {
        print_native_frame(file, report, node, false);
        return;
    } else if (key == VIEW_FILENAME || key == VIEW_FUNCTION)
        print_name(file, report_file(report, node));
    else
        print_place(file, report, node);
    if (node && (key == VIEW_CALLER || key == VIEW_FUNCTION)) {
        fputc(' ', file);
        print_name(file, report_function(report, node));
    }
}

void print_row_name(FILE *file, const struct report *report, const struct view_row *row)
{
    enum view_key key = report->options.view.key;
    const struct trace_site *site = &report->trace.sites[row->site];
    if (key == VIEW_DOMAIN)
        fputs(domain_names[site->domain], file);
    else if (key == VIEW_THREAD)
        print_thread(file, report, site);
    else if (key == VIEW_PROCESS && row->folded)
        fprintf(file, "%u small processes", row->folded);
    else if (key == VIEW_PROCESS) {
        fprintf(file, "%d ", report->trace.processes[site->process].pid);
        print_command(file, report, site->process);
    } else if (key == VIEW_NATIVE_FRAME || (!row->node && site->native && key == VIEW_TRACEBACK))
        print_native_name(file, report, site->native);
    else if (key == VIEW_MODULE && !row->node && natives_library(&report->trace, site->native))
        print_name(file, natives_library(&report->trace, site->native));
    else if (key == VIEW_TRACEBACK && stacks_python(&report->trace, row->node))
        print_node_name(file, report, stacks_python(&report->trace, row->node));
    else
        print_node_name(file, report, row->node);
}
