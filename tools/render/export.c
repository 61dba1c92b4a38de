/*
 * Stacks as text, one a line, and for speedscope.  Runs in the tools.
 */
#include "render/export.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "render/escape.h"
#include "render/json.h"
#include "render/top.h"
#include "trace/group.h"

void export_stack_of(struct export_stack *stack, const struct trace *trace, uint32_t leaf)
{
    stack->depth = 0;
    for (uint32_t node = leaf; node; node = trace->nodes[node].parent) {
        if (stack->depth == stack->capacity) {
            stack->capacity = stack->capacity ? stack->capacity * 2 : 64;
            stack->nodes = reallocarray(stack->nodes, stack->capacity, sizeof *stack->nodes);
            if (!stack->nodes)
                abort();
        }
        stack->nodes[stack->depth++] = node;
    }
}

void export_stack_free(struct export_stack *stack)
{
    free(stack->nodes);
}

void export_frame(FILE *file, const struct report *report, uint32_t node)
{
    if (report->trace.nodes[node].native) {
        print_native_frame(file, report, node, false);
        return;
    }
    print_name(file, report_function(report, node));
    fputs(" (", file);
    print_name(file, report_file(report, node));
    fprintf(file, ":%u)", report->trace.nodes[node].line);
}

/* ---- folded ---- */

/* In a line of folded stacks `;` has a meaning. */
static void print_folded(FILE *file, const struct report *report, uint32_t node)
{
    char *text = NULL;
    size_t size;
    FILE *memory = open_memstream(&text, &size);
    if (!memory)
        abort();
    export_frame(memory, report, node);
    if (fclose(memory) != 0)
        abort();
    for (char *at = text; (at = strchr(at, ';')); at++)
        *at = ',';
    fputs(text, file);
    free(text);
}

void export_folded(FILE *file, const struct report *report, const struct view *view)
{
    struct export_stack stack = {0};
    for (size_t i = 0; i < view->n_rows; i++) {
        const struct view_row *row = &view->rows[i];
        if (row->metric <= 0)
            continue;
        export_stack_of(&stack, &report->trace, row->node);
        for (size_t k = stack.depth; k-- > 0;) {
            print_folded(file, report, stack.nodes[k]);
            fputc(k ? ';' : ' ', file);
        }
        if (!stack.depth)
            fputs(TOP_NO_FRAME " ", file);
        fprintf(file, "%" PRId64 "\n", row->metric);
    }
    export_stack_free(&stack);
}

/* ---- speedscope ---- */

/* Frames are numbered from 0 in the order of their first use; frame 0 is none. */
struct frames {
    struct group *group;
    uint32_t *nodes; /* by number */
    size_t count, capacity;
};

static size_t frame_number(struct frames *frames, uint32_t node)
{
    bool added;
    size_t number =
        group_row(frames->group, node ? group_frame_number(frames->group, node) : 0, &added);
    if (!added)
        return number;
    if (number >= frames->capacity) {
        frames->capacity = frames->capacity ? frames->capacity * 2 : 256;
        frames->nodes = reallocarray(frames->nodes, frames->capacity, sizeof *frames->nodes);
        if (!frames->nodes)
            abort();
    }
    frames->nodes[number] = node;
    frames->count = number + 1;
    return number;
}

static void put_samples(struct json *json, const struct view *view, struct frames *frames)
{
    struct export_stack stack = {0};
    json_open(json, "samples", '[');
    for (size_t i = 0; i < view->n_rows; i++) {
        if (view->rows[i].metric <= 0)
            continue;
        export_stack_of(&stack, view->trace, view->rows[i].node);
        json_open(json, NULL, '[');
        for (size_t k = stack.depth; k-- > 0;)
            json_number(json, NULL, (int64_t)frame_number(frames, stack.nodes[k]));
        if (!stack.depth)
            json_number(json, NULL, (int64_t)frame_number(frames, 0));
        json_close(json, ']');
    }
    json_close(json, ']');
    export_stack_free(&stack);
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
    if (asprintf(&text, "%s in %s", report_function(report, node), report_library(report, node)) < 0)
        abort();
    json_name(json, "name", text);
    free(text);
}

static void put_frames(struct json *json, const struct report *report, const struct frames *frames)
{
    json_open(json, "shared", '{');
    json_open(json, "frames", '[');
    for (size_t i = 0; i < frames->count; i++) {
        uint32_t node = frames->nodes[i];
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
    struct frames frames = {.group = group_new(view->trace, VIEW_LINENO)};
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
    put_samples(&json, view, &frames);
    json_number(&json, "endValue", put_weights(&json, view));
    json_close(&json, '}');
    json_close(&json, ']');
    put_frames(&json, report, &frames);
    json_close(&json, '}');
    group_free(frames.group);
    free(frames.nodes);
}
