/*
 * Merging native frames into stacks (stacks.h).  Runs in reports, when a trace
 * has been read.
 */
#include "trace/stacks.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trace/arena.h"
#include "trace/natives.h"
#include "trace/table.h"

/* Nodes that may be added, beside so many for each byte of the file. */
#define NODES_BASE (1u << 20)
#define NODES_RATIO 16u
#define STEPS_RATIO 16u

struct step { /* a frame on the way from the innermost one outwards */
    uint32_t frame;
    bool is_native;
};

struct merger {
    struct trace *trace;
    size_t nodes_capacity, functions_capacity, strings_capacity, steps_capacity;
    uint64_t nodes_left, steps_left;
    struct table children;  /* a node, by its parent and its native */
    struct table known;     /* a node, by the Python stack and the native of a site */
    struct table functions; /* by file and name */
    uint32_t *function_of;  /* by native, 0 if not looked up */
    struct step *steps;
    size_t n_steps;
};

/* ---- definitions ---- */

/* "libfoo.so+0x1234" */
static uint32_t name_address(struct merger *merger, uint32_t native)
{
    struct trace *trace = merger->trace;
    char name[NATIVE_NAME];
    natives_name(name, sizeof name, trace, native, VIEW_TRACEBACK);
    size_t size = strlen(name);
    char *text = arena_need(trace->arena, size + 1);
    memcpy(text, name, size);
    trace->strings = array_need(
        trace->strings, &merger->strings_capacity, trace->n_strings, sizeof *trace->strings);
    trace->strings[trace->n_strings] = (struct trace_string){text, size};
    return (uint32_t)trace->n_strings++;
}

static uint32_t define_function(struct merger *merger, uint32_t native)
{
    struct trace *trace = merger->trace;
    const struct trace_native *at = &trace->natives[native];
    uint32_t name = at->function ? at->function : name_address(merger, native);
    uint32_t file = at->line ? at->file : trace->modules[at->module].path;
    uint32_t *function = table_at(&merger->functions, (uint64_t)file << 32 | name);
    if (!*function) {
        *function = (uint32_t)trace->n_functions;
        trace->functions = array_need(trace->functions, &merger->functions_capacity,
            trace->n_functions, sizeof *trace->functions);
        trace->functions[trace->n_functions++] =
            (struct trace_function){.file = file, .name = name};
    }
    return *function;
}

static uint32_t function_of(struct merger *merger, uint32_t native)
{
    if (!merger->function_of[native])
        merger->function_of[native] = define_function(merger, native);
    return merger->function_of[native];
}

static struct trace_node frame_of(struct merger *merger, struct step step, uint32_t parent)
{
    struct trace *trace = merger->trace;
    struct trace_node node = {.parent = parent};
    if (step.is_native) {
        node.native = step.frame;
        node.function = function_of(merger, step.frame);
        node.line = trace->natives[step.frame].line;
    } else {
        node.function = trace->nodes[step.frame].function;
        node.line = trace->nodes[step.frame].line;
    }
    return node;
}

/* The stack with one frame more.  Where two keys fall together the same stack may be made twice. */
static uint32_t child_of(struct merger *merger, uint32_t parent, struct step step)
{
    struct trace *trace = merger->trace;
    uint64_t frame = (uint64_t)step.frame << 1 | step.is_native;
    uint64_t key = frame * 0x9e3779b97f4a7c15ull + ((uint64_t)parent << 32 | parent);
    uint32_t *child = table_at(&merger->children, key ? key : 1);
    uint32_t known = *child;
    struct trace_node node = frame_of(merger, step, parent);
    if (known && trace->nodes[known].parent == parent &&
        trace->nodes[known].native == node.native &&
        trace->nodes[known].function == node.function && trace->nodes[known].line == node.line)
        return known;
    *child = (uint32_t)trace->n_nodes;
    trace->nodes =
        array_need(trace->nodes, &merger->nodes_capacity, trace->n_nodes, sizeof *trace->nodes);
    trace->nodes[trace->n_nodes] = node;
    merger->nodes_left--;
    return (uint32_t)trace->n_nodes++;
}

/* ---- stacks ---- */

static bool add_step(struct merger *merger, uint32_t frame, bool is_native)
{
    if (!merger->steps_left || merger->n_steps >= merger->nodes_left)
        return false;
    merger->steps_left--;
    merger->steps =
        array_need(merger->steps, &merger->steps_capacity, merger->n_steps, sizeof *merger->steps);
    merger->steps[merger->n_steps++] = (struct step){frame, is_native};
    return true;
}

/* A native frame, and before it what was inlined there. */
static bool add_native(struct merger *merger, uint32_t native)
{
    const struct trace_native *natives = merger->trace->natives;
    uint32_t inlined = natives[native].innermost;
    for (; inlined && inlined != native; inlined = natives[inlined].parent)
        if (!add_step(merger, inlined, true))
            return false;
    return add_step(merger, native, true);
}

/* The Python frames above the one that called the native frames; false if that is not below. */
static bool add_python(struct merger *merger, uint32_t *node, uint32_t caller)
{
    while (*node && *node != caller) {
        if (!add_step(merger, *node, false))
            return false;
        *node = merger->trace->nodes[*node].parent;
    }
    return *node == caller;
}

/* The node of a site's stack, 0 if there are no native frames, or too many. */
static uint32_t merge(struct merger *merger, uint32_t node, uint32_t native)
{
    const struct trace_native *natives = merger->trace->natives;
    uint32_t known = 0;
    merger->n_steps = 0;
    for (; native; native = natives[native].parent) {
        known = table_get(&merger->known, (uint64_t)node << 32 | native);
        if (known)
            break;
        bool added = natives[native].is_anchor ? add_python(merger, &node, natives[native].node)
                                               : add_native(merger, native);
        if (!added)
            return 0;
    }
    uint32_t stack = known ? known : node;
    for (size_t i = merger->n_steps; i-- > 0;)
        stack = child_of(merger, stack, merger->steps[i]);
    return stack;
}

/* Inlined functions become frames: natives behind the others, each called by the one around it. */
static void define_inlined(struct trace *trace)
{
    size_t count = trace->n_natives;
    if (!trace->n_inlined)
        return;
    trace->natives = reallocarray(trace->natives, count + trace->n_inlined, sizeof *trace->natives);
    if (!trace->natives)
        abort();
    for (size_t i = 0; i < trace->n_inlined; i++) {
        const struct trace_inlined *inlined = &trace->inlined[i];
        struct trace_native *at = &trace->natives[inlined->native];
        trace->natives[count] = (struct trace_native){.is_inlined = true,
            .parent = at->innermost ? at->innermost : inlined->native,
            .module = at->module,
            .address = at->address,
            .function = inlined->function,
            .file = inlined->file,
            .line = inlined->line};
        at->innermost = (uint32_t)count++;
    }
    trace->n_natives = count;
}

void stacks_merge(struct trace *trace)
{
    define_inlined(trace);
    uint64_t room = NODES_BASE + NODES_RATIO * (uint64_t)trace->file_bytes;
    struct merger merger = {.trace = trace, .nodes_left = room, .steps_left = STEPS_RATIO * room};
    size_t nodes = trace->n_nodes, functions = trace->n_functions, strings = trace->n_strings;
    if (merger.nodes_left > UINT32_MAX / 2 - trace->n_nodes)
        merger.nodes_left = UINT32_MAX / 2 - trace->n_nodes;
    merger.function_of = calloc(trace->n_natives, sizeof *merger.function_of);
    if (!merger.function_of)
        abort();
    for (size_t i = 1; i < trace->n_sites; i++) {
        struct trace_site *site = &trace->sites[i];
        uint32_t stack = site->native ? merge(&merger, site->node, site->native) : 0;
        if (stack) {
            site->stack = stack;
            *table_at(&merger.known, (uint64_t)site->node << 32 | site->native) = stack;
        }
    }
    trace->n_merged_nodes = trace->n_nodes - nodes;
    trace->n_merged_functions = trace->n_functions - functions;
    trace->n_merged_strings += trace->n_strings - strings;
    free(merger.function_of);
    free(merger.steps);
    table_free(&merger.children);
    table_free(&merger.known);
    table_free(&merger.functions);
}

void stacks_unmerge(struct trace *trace)
{
    trace->n_nodes -= trace->n_merged_nodes;
    trace->n_functions -= trace->n_merged_functions;
    trace->n_strings -= trace->n_merged_strings;
    trace->n_merged_nodes = trace->n_merged_functions = trace->n_merged_strings = 0;
    while (trace->n_natives && trace->natives[trace->n_natives - 1].is_inlined)
        trace->n_natives--;
    for (size_t i = 0; i < trace->n_natives; i++)
        trace->natives[i].innermost = 0;
    for (size_t i = 1; i < trace->n_sites; i++)
        trace->sites[i].stack = trace->sites[i].node;
}

uint32_t stacks_python(const struct trace *trace, uint32_t node)
{
    while (node && trace->nodes[node].native)
        node = trace->nodes[node].parent;
    return node;
}
