/*
 * Opens the trace of a report and prints what is common to all of them.
 */
#include "render/report.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "render/allocators.h"
#include "render/escape.h"
#include "render/gap.h"
#include "render/input.h"
#include "render/naming.h"
#include "render/output.h"
#include "render/running.h"
#include "trace/callers.h"
#include "trace/modules.h"
#include "trace/natives.h"
#include "trace/stacks.h"

static bool has_native_frames(const struct trace *trace)
{
    for (size_t i = 1; i < trace->n_sites; i++)
        if (trace->sites[i].native)
            return true;
    return false;
}

/* Where nothing has a Python frame, callers in Python tell nothing. */
static void choose_key(struct report *report)
{
    struct view_options *view = &report->options.view;
    bool is_open = report->options.may_be_native && !report->options.key_given &&
                   !view->cumulative && view->key == VIEW_CALLER;
    if (is_open && report->trace.n_nodes <= 1 && has_native_frames(&report->trace))
        view->key = VIEW_TRACEBACK;
}

static void choose(const struct trace *trace, const void *context, bool *wanted)
{
    const struct report *report = context;
    report->options.choose(report, wanted);
}

/* Patterns may be of files that only their names tell. */
static void name_natives(struct report *report)
{
    const struct view_options *view = &report->options.view;
    bool is_part = report->options.format == FORMAT_TEXT && !view->filter.n_patterns;
    if (is_part && report->options.smallest > 0)
        naming_complete_large(&report->trace, view, report->options.smallest);
    else if (is_part && report->options.choose && view->key == VIEW_NATIVE_FRAME)
        naming_complete_functions(&report->trace);
    else if (is_part && report->options.choose && view->limit)
        naming_complete_chosen(&report->trace, choose, report);
    else
        naming_complete(&report->trace);
}

/* What the options need of the trace; false after a message. */
static bool prepare(struct report *report)
{
    struct view_options *view = &report->options.view;
    uint64_t elapsed_us;
    choose_key(report);
    if (!report->options.at_given && trace_is_running(&report->trace, &elapsed_us))
        moment_parse(&view->moment, "now");
    if (report->options.stacks || view->key == VIEW_TRACEBACK || view->key == VIEW_NATIVE_FRAME)
        name_natives(report);
    stacks_merge(&report->trace);
    report->sources =
        sources_new(&report->trace, report->options.source_maps, report->options.n_source_maps);
    if (report->options.format == FORMAT_CSV)
        gap_warn(&report->trace);
    if (view->key == VIEW_MODULE || view->key == VIEW_PACKAGE)
        report->modules = modules_new(&report->trace);
    if (view->key != VIEW_NATIVE_FRAME || has_native_frames(&report->trace))
        return true;
    message("%s: no native frames in it: nothing called malloc, or memtrace was older then",
        report->trace.path);
    report_close(report);
    return false;
}

bool report_open(struct report *report)
{
    report->cwd = "";
    report->meta = NULL;
    report->modules = NULL;
    report->sources = NULL;
    if (!input_read(&report->trace, report->options.trace))
        return false;
    if (report->trace.meta)
        report->meta = json_loads(report->trace.meta, JSON_DECODE_INT_AS_REAL, NULL);
    const char *cwd = json_string_value(json_object_get(report->meta, "cwd"));
    if (cwd)
        report->cwd = cwd;
    return prepare(report);
}

void report_forget_options(struct report *report)
{
    memset(&report->options.view.filter, 0, sizeof report->options.view.filter);
    report->options.view.mine = NULL;
    report->options.source_maps = NULL;
}

void report_close(struct report *report)
{
    json_decref(report->meta);
    modules_free(report->modules);
    sources_free(report->sources);
    free(report->options.source_maps);
    filter_free(&report->options.view.filter);
    free(report->options.view.mine);
    trace_free(&report->trace);
}

static const char *below(const char *directory, const char *name)
{
    size_t size = strlen(directory);
    while (size && directory[size - 1] == '/')
        size--;
    if (size == 0 || strncmp(name, directory, size) != 0 || name[size] != '/' || !name[size + 1])
        return name;
    return name + size + 1;
}

const char *report_path(const struct report *report, const char *name)
{
    enum path_style style = report->options.paths;
    if (style == PATHS_DEFAULT)
        style = report->options.format == FORMAT_TEXT ? PATHS_SHORT : PATHS_FULL;
    if (style == PATHS_FULL)
        return name;
    if (style == PATHS_SHORT) {
        const char *part = callers_library_part(name);
        if (part != name && *part)
            return part;
    }
    return below(report->cwd, name);
}

const char *report_file(const struct report *report, uint32_t node)
{
    const struct trace *trace = &report->trace;
    uint32_t file = trace->functions[trace->nodes[node].function].file;
    return report_path(report, trace->strings[file].data);
}

const char *report_library(const struct report *report, uint32_t node)
{
    const char *library = natives_library(&report->trace, report->trace.nodes[node].native);
    return library ? library : NATIVE_NOWHERE;
}

const char *report_module(const struct report *report, uint32_t node)
{
    const struct trace *trace = &report->trace;
    if (trace->nodes[node].native)
        return report_library(report, node);
    const struct module *module =
        modules_of_file(report->modules, trace->functions[trace->nodes[node].function].file);
    return report->options.view.key == VIEW_MODULE ? module->module_name : module->package_name;
}

const char *report_function(const struct report *report, uint32_t node)
{
    const struct trace *trace = &report->trace;
    return trace->strings[trace->functions[trace->nodes[node].function].name].data;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

/* One file can be several programs, by the name that it is called by. */
const char *program_name(const struct trace *trace, uint32_t process)
{
    const struct trace_process *about = &trace->processes[process];
    const char *path = trace->strings[about->path].data;
    const char *called = trace->strings[about->command].data;
    return base_name(*called && (!about->python || !*path) ? called : path);
}

void print_command(FILE *file, const struct report *report, uint32_t process)
{
    const struct trace *trace = &report->trace;
    const struct trace_string *command = &trace->strings[trace->processes[process].command];
    const char *end = command->data + command->size;
    const char *word = command->data;
    print_name(file, program_name(trace, process));
    for (word += strlen(word) + 1; word < end; word += strlen(word) + 1) {
        fputc(' ', file);
        print_name(file, below(report->cwd, word));
    }
}

const struct trace *report_samples(const struct report *report)
{
    return report->trace.sample_bytes ? &report->trace : NULL;
}

void print_cautions(FILE *file, const struct report *report)
{
    uint64_t unknown = 0, duplicate = 0;
    char words[GAP_WORDS], events[FORMAT_SIZE], bytes[FORMAT_SIZE];
    if (report->trace.sample_bytes)
        fprintf(file,
            "sampled, one block in %s: amounts are estimates, %s is the error in 95 of 100 cases\n",
            format_size(bytes, (int64_t)report->trace.sample_bytes, UNITS_AUTO),
            output_utf8() ? "\xc2\xb1" : "+-");
    for (size_t i = 1; i < report->trace.n_processes; i++) {
        const struct trace_process *process = &report->trace.processes[i];
        unknown += process->unknown_frees;
        duplicate += process->duplicate_allocations;
    }
    if (*gap_words(words, &report->trace))
        fprintf(file, "%s\n", words);
    if (unknown)
        fprintf(file, "unknown frees: %s (blocks allocated where memtrace did not look)\n",
            format_count(events, (int64_t)unknown));
    if (duplicate)
        fprintf(file, "duplicate allocations: %s (blocks freed where memtrace did not look)\n",
            format_count(events, (int64_t)duplicate));
    print_allocators(file, &report->trace);
}
