/*
 * Stacks for speedscope.  Runs in the tools.
 */
#include "render/export.h"

#include <stdlib.h>

#include "render/export_stacks.h"
#include "render/json.h"
#include "render/progress.h"
#include "render/top.h"

static void put_samples(struct json *json, const struct view *view, struct export_stacks *stacks)
{
    json_open(json, "samples", '[');
    for (size_t i = 0; i < view->n_rows; i++) {
        progress_at(i, view->n_rows);
        if (view->rows[i].metric <= 0)
            continue;
        size_t depth = export_stacks_read(stacks, view->rows[i].node);
        json_open(json, NULL, '[');
        while (depth)
            json_number(json, NULL, stacks->frames[--depth]);
        json_close(json, ']');
    }
    json_close(json, ']');
}

static int64_t put_weights(struct json *json, const struct view *view)
{
    int64_t sum = 0;
    json_open(json, "weights", '[');
    for (size_t i = 0; i < view->n_rows; i++) {
        if (view->rows[i].metric <= 0)
            continue;
        json_number(json, NULL, view->rows[i].metric);
        sum += view->rows[i].metric;
    }
    json_close(json, ']');
    return sum;
}

/* "parse" or "parse in parsers.so" */
static void put_name(struct json *json, const struct report *report, uint32_t node)
{
    uint32_t native = report->trace.nodes[node].native;
    char *text = NULL;
    if (!native || !report->trace.natives[native].function) {
        json_name(json, "name", node ? report_function(report, node) : TOP_NO_FRAME);
        return;
    }
    if (asprintf(&text, "%s in %s", report_function(report, node), report_library(report, node)) <
        0)
        abort();
    json_name(json, "name", text);
    free(text);
}

static void put_frames(
    struct json *json, const struct report *report, const struct export_stacks *stacks)
{
    json_open(json, "shared", '{');
    json_open(json, "frames", '[');
    for (size_t i = 0; i < stacks->n_frames; i++) {
        uint32_t node = stacks->nodes[i];
        json_open(json, NULL, '{');
        put_name(json, report, node);
        if (node && (!report->trace.nodes[node].native || *report_file(report, node))) {
            json_name(json, "file", report_file(report, node));
            json_number(json, "line", report->trace.nodes[node].line);
        }
        json_close(json, '}');
    }
    json_close(json, ']');
    json_close(json, '}');
}

void export_speedscope(FILE *file, const struct report *report, const struct view *view)
{
    struct json json = {.file = file};
    struct export_stacks *stacks = export_stacks_new(view);
    bool bytes = view->options->sort == VIEW_SIZE || view->options->sort == VIEW_CHURN_SIZE;
    json_open(&json, NULL, '{');
    json_name(&json, "$schema", "https://www.speedscope.app/file-format-schema.json");
    json_name(&json, "exporter", "memtrace " MEMTRACE_VERSION);
    json_name(&json, "name", report->trace.path);
    json_number(&json, "activeProfileIndex", 0);
    json_open(&json, "profiles", '[');
    json_open(&json, NULL, '{');
    json_name(&json, "type", "sampled");
    json_name(&json, "name", view_sort_names[view->options->sort]);
    json_name(&json, "unit", bytes ? "bytes" : "none");
    json_number(&json, "startValue", 0);
    put_samples(&json, view, stacks);
    json_number(&json, "endValue", put_weights(&json, view));
    json_close(&json, '}');
    json_close(&json, ']');
    put_frames(&json, report, stacks);
    json_close(&json, '}');
    export_stacks_free(stacks);
}
