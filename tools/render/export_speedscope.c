/*
 * Stacks for speedscope.  Runs in the tools.  They are written as the tree that they
 * are, frames that open and close, with bytes for time: spelt out a million stacks
 * would be ten times the size.
 */
#include "render/export.h"

#include <stdlib.h>

#include "render/export_stacks.h"
#include "render/json.h"
#include "render/progress.h"
#include "render/top.h"

struct branch {           /* by node */
    int64_t own;          /* what the stack that ends there has */
    uint32_t first, next; /* of the nodes that it called; with the same parent */
};

struct events {
    struct json json;
    const struct trace *trace;
    const struct export_stacks *stacks;
    struct branch *branches;
    bool *used; /* by node: there is something in it or below, of node 0 in it */
    int64_t at; /* the sum so far */
};

static void add_sites(struct events *events, const struct view *view)
{
    for (uint32_t i = 1; i < view->trace->n_sites; i++) {
        if (!view->sites[i])
            continue;
        const struct view_amount amount = view_amount_of_site(view, i);
        events->branches[view->trace->sites[i].stack].own += view_metric(view, &amount);
    }
}

/* Nodes are numbered after their parents. */
static void make_branches(struct events *events, const struct view *view)
{
    const struct trace *trace = events->trace;
    events->branches = calloc(trace->n_nodes, sizeof *events->branches);
    events->used = calloc(trace->n_nodes, sizeof *events->used);
    if (!events->branches || !events->used)
        abort();
    add_sites(events, view);
    for (size_t i = trace->n_nodes; i-- > 0;) {
        struct branch *branch = &events->branches[i];
        struct branch *parent = &events->branches[trace->nodes[i].parent];
        branch->own = branch->own > 0 ? branch->own : 0;
        events->used[i] |= branch->own > 0;
        if (!events->used[i] || i == 0)
            continue;
        branch->next = parent->first;
        parent->first = (uint32_t)i;
        if (trace->nodes[i].parent)
            events->used[trace->nodes[i].parent] = true;
    }
}

static void put_event(struct events *events, const char *type, uint32_t node)
{
    json_open(&events->json, NULL, '{');
    json_name(&events->json, "type", type);
    json_number(&events->json, "frame", export_stacks_frame(events->stacks, node));
    json_number(&events->json, "at", events->at);
    json_close(&events->json, '}');
}

static void open_frame(struct events *events, uint32_t node)
{
    put_event(events, "O", node);
    events->at += events->branches[node].own;
}

/* Depth first, without recursion: stacks may be deep. */
static void put_tree(struct events *events)
{
    const struct branch *branches = events->branches;
    for (uint32_t node = branches[0].first; node;) {
        progress_at(node, events->trace->n_nodes);
        open_frame(events, node);
        if (branches[node].first) {
            node = branches[node].first;
            continue;
        }
        for (; node && !branches[node].next; node = events->trace->nodes[node].parent)
            put_event(events, "C", node);
        if (node) {
            put_event(events, "C", node);
            node = branches[node].next;
        }
    }
}

static void put_events(struct events *events)
{
    json_open(&events->json, "events", '[');
    if (events->branches[0].own) { /* what has no frame has one that says so */
        open_frame(events, 0);
        put_event(events, "C", 0);
    }
    put_tree(events);
    json_close(&events->json, ']');
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
    struct events events = {.json = {.file = file}, .trace = view->trace};
    struct json *json = &events.json;
    bool bytes = view->options->sort == VIEW_SIZE || view->options->sort == VIEW_CHURN_SIZE;
    make_branches(&events, view);
    struct export_stacks *stacks = export_stacks_of(view->trace, events.used);
    events.stacks = stacks;
    json_open(json, NULL, '{');
    json_name(json, "$schema", "https://www.speedscope.app/file-format-schema.json");
    json_name(json, "exporter", "memtrace " MEMTRACE_VERSION);
    json_name(json, "name", report->trace.path);
    json_number(json, "activeProfileIndex", 0);
    json_open(json, "profiles", '[');
    json_open(json, NULL, '{');
    json_name(json, "type", "evented");
    json_name(json, "name", view_sort_names[view->options->sort]);
    json_name(json, "unit", bytes ? "bytes" : "none");
    json_number(json, "startValue", 0);
    put_events(&events);
    json_number(json, "endValue", events.at);
    json_close(json, '}');
    json_close(json, ']');
    put_frames(json, report, stacks);
    json_close(json, '}');
    free(events.branches);
    free(events.used);
    export_stacks_free(stacks);
}
