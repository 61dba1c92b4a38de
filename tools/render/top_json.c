/*
 * `top` for programs: schema 1, described in memtrace-top(1).  Runs in the tools.
 */
#include "render/top.h"

#include <stdlib.h>
#include <string.h>

#include "render/parts_json.h"
#include "trace/natives.h"

static void put_frame(struct json *json, const struct report *report, uint32_t node)
{
    json_open(json, NULL, '{');
    if (report->trace.nodes[node].native)
        json_native(json, report, report->trace.nodes[node].native);
    else
        json_place(json, report, node);
    json_close(json, '}');
}

static void put_stack(struct json *json, const struct report *report, uint32_t leaf,
    const char *name, bool with_natives)
{
    const struct trace_node *nodes = report->trace.nodes;
    size_t depth = 0;
    for (uint32_t node = leaf; node; node = nodes[node].parent)
        depth++;
    uint32_t *stack = calloc(depth + 1, sizeof *stack);
    if (!stack)
        abort();
    for (uint32_t node = leaf, i = 0; node; node = nodes[node].parent)
        stack[i++] = node;
    json_open(json, name, '[');
    while (depth--)
        if (with_natives || !nodes[stack[depth]].native)
            put_frame(json, report, stack[depth]);
    json_close(json, ']');
    free(stack);
}

void json_traceback(struct json *json, const struct report *report, uint32_t leaf)
{
    put_stack(json, report, leaf, "traceback", false);
}

static void put_thread(struct json *json, const struct trace *trace, const struct trace_site *site)
{
    json_number(json, "pid", trace->processes[site->process].pid);
    if (!site->thread)
        return;
    json_number(json, "tid", trace->threads[site->thread].tid);
    json_name(json, "thread", trace->strings[trace->threads[site->thread].name].data);
}

static void put_frames(struct json *json, const struct report *report, const struct view_row *row)
{
    const struct trace_site *site = &report->trace.sites[row->site];
    const char *library = natives_library(&report->trace, site->native);
    if (!row->node && library && report->options.view.key == VIEW_MODULE) {
        json_name(json, "module", library);
        return;
    }
    if ((row->node || site->native) && report->options.view.key == VIEW_TRACEBACK) {
        json_traceback(json, report, row->node);
        if (site->native) {
            json_native(json, report, site->native);
            put_stack(json, report, row->node, "stack", true);
        }
        return;
    }
    json_frame(json, report, row->node);
    if (row->via) {
        json_open(json, "via", '{');
        json_place(json, report, row->via);
        json_close(json, '}');
    }
}

static void put_inherited(struct json *json, int64_t size, int64_t count)
{
    if (!count)
        return;
    json_open(json, "inherited", '{');
    json_number(json, "size", size);
    json_number(json, "count", count);
    json_close(json, '}');
}

void json_row_name(struct json *json, const struct report *report, const struct view_row *row)
{
    const struct trace_site *site = &report->trace.sites[row->site];
    switch (report->options.view.key) {
    case VIEW_DOMAIN:
        json_name(json, "domain", domain_names[site->domain]);
        break;
    case VIEW_THREAD:
        put_thread(json, &report->trace, site);
        break;
    case VIEW_NATIVE_FRAME:
        if (site->native)
            json_native(json, report, site->native);
        else
            json_name(json, "name", NATIVE_NONE);
        break;
    case VIEW_PROCESS:
        if (row->folded) {
            json_number(json, "small_processes", row->folded);
            break;
        }
        json_number(json, "pid", report->trace.processes[site->process].pid);
        json_command(json, &report->trace, site->process);
        put_inherited(json, row->inherited, row->inherited_blocks);
        break;
    default:
        put_frames(json, report, row);
    }
}

void json_row(struct json *json, const struct report *report, const struct view_row *row)
{
    json_row_name(json, report, row);
    json_amount(json, &row->amount);
}

static void put_rests(struct json *json, const struct view *view)
{
    json_open(json, "rest", '[');
    for (int i = 0; i < VIEW_RESTS; i++) {
        if (!view->rest[i].count && !view->rest[i].allocations)
            continue;
        json_open(json, NULL, '{');
        json_name(json, "name", top_rest_names[i]);
        json_amount(json, &view->rest[i]);
        json_close(json, '}');
    }
    json_close(json, ']');
}

static void put_sums(struct json *json, const struct view *view, size_t shown)
{
    struct view_amount other = view_sum(view, shown);
    json_open(json, "other", '{');
    json_number(json, "rows", (int64_t)(view->n_rows - shown));
    if (!view->options->cumulative) {
        json_number(json, "size", other.size);
        json_number(json, "count", other.count);
    }
    json_close(json, '}');
    if (top_has_rests(view->options->key))
        put_rests(json, view);
    json_excluded(json, view);
    put_inherited(json, view->inherited.size, view->inherited.count);
}

void top_json(FILE *file, const struct report *report, const struct view *view)
{
    struct json json = {.file = file};
    size_t shown = top_rows(report, view);
    json_begin_report(&json, report, view);
    json_open(&json, "rows", '[');
    for (size_t i = 0; i < shown; i++) {
        json_open(&json, NULL, '{');
        json_row(&json, report, &view->rows[i]);
        json_close(&json, '}');
    }
    json_close(&json, ']');
    put_sums(&json, view, shown);
    json_close(&json, '}');
}
