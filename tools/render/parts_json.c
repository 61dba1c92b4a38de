/*
 * Parts of JSON (parts_json.h).  Runs in the tools.
 */
#include "render/parts_json.h"

#include <string.h>

#include "render/gap.h"
#include "render/moments.h"
#include "render/top.h"
#include "trace/processes.h"
#include "trace/natives.h"

void json_split(struct json *json, const struct view_amount *amount)
{
    json_number(json, "size", amount->size);
    json_number(json, "count", amount->count);
    json_number(json, "python", amount->python);
    json_number(json, "native", amount->native);
    if (json->touched)
        json_number(json, "touched", amount->size - amount->untouched);
    if (json->samples)
        json_number(json, "size_error", view_size_error(json->samples, amount));
}

void json_sampling(struct json *json, const struct report *report)
{
    json->samples = report_samples(report);
    if (json->samples)
        json_number(json, "sample_bytes", (int64_t)report->trace.sample_bytes);
}

void json_amount(struct json *json, const struct view_amount *amount)
{
    json_split(json, amount);
    json_number(json, "allocated", amount->allocated);
    json_number(json, "allocations", amount->allocations);
    if (json->samples)
        json_number(json, "allocated_error", view_allocated_error(json->samples, amount));
}

void json_command(struct json *json, const struct trace *trace, uint32_t process)
{
    const struct trace_string *command = &trace->strings[trace->processes[process].command];
    const char *end = command->data + command->size;
    json_open(json, "command", '[');
    for (const char *word = command->data; word < end; word += strlen(word) + 1)
        json_name(json, NULL, word);
    json_close(json, ']');
}

void json_place(struct json *json, const struct report *report, uint32_t node)
{
    json_name(json, "filename", report_file(report, node));
    json_number(json, "lineno", report->trace.nodes[node].line);
    json_name(json, "function", report_function(report, node));
}

/* What is of one call only. */
static void put_call(struct json *json, const struct trace *trace, const struct trace_native *at)
{
    if (at->is_inlined)
        json_flag(json, "inlined", true);
    else if (at->function)
        json_number(json, "offset", (int64_t)at->offset);
    if (at->line) {
        json_name(json, "filename", trace->strings[at->file].data);
        json_number(json, "lineno", at->line);
    }
}

void json_native(struct json *json, const struct report *report, uint32_t native)
{
    const struct trace *trace = &report->trace;
    bool row = report->options.view.key == VIEW_NATIVE_FRAME;
    const struct trace_native *at = &trace->natives[native];
    const char *library = natives_library(trace, native);
    json_open(json, "native_frame", '{');
    if (library) {
        json_name(json, "library", library);
        json_name(json, "path", trace->strings[trace->modules[at->module].path].data);
    }
    if (natives_function(trace, native))
        json_name(json, "function", natives_function(trace, native));
    if (!row)
        put_call(json, trace, at);
    if (row ? library && !at->function : native && !natives_is_cut(trace, native))
        json_number(json, "address", (int64_t)at->address);
    json_close(json, '}');
}

void json_frame(struct json *json, const struct report *report, uint32_t node)
{
    enum view_key key = report->options.view.key;
    if (!node) {
        json_name(json, "name", top_no_frame(key));
        return;
    }
    if (key == VIEW_MODULE || key == VIEW_PACKAGE) {
        json_name(json, view_key_names[key], report_module(report, node));
        return;
    }
    if (report->trace.nodes[node].native) {
        json_native(json, report, report->trace.nodes[node].native);
        return;
    }
    json_name(json, "filename", report_file(report, node));
    if (key == VIEW_CALLER || key == VIEW_LINENO)
        json_number(json, "lineno", report->trace.nodes[node].line);
    if (key != VIEW_FILENAME)
        json_name(json, "function", report_function(report, node));
}

void json_begin_report(struct json *json, const struct report *report, const struct view *view)
{
    json_open(json, NULL, '{');
    json_number(json, "schema", 1);
    json_name(json, "trace", report->trace.path);
    gap_json(json, &report->trace);
    json_command(json, &report->trace, process_of_interest(&report->trace, view->processes));
    json_moments(json, view);
    json_sampling(json, report);
    json->touched = view->untouched != NULL;
    json_name(json, "key", view_key_names[view->options->key]);
    json_open(json, "total", '{');
    json_split(json, &view->total);
    json_close(json, '}');
}

void json_excluded(struct json *json, const struct view *view)
{
    json_open(json, "excluded", '{');
    json_number(json, "size", view->excluded.size);
    json_number(json, "count", view->excluded.count);
    json_close(json, '}');
}
