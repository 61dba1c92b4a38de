/*
 * Words for rows (identity.h).  Runs in views.  Files are named below the
 * directory of the run, or below that of their library.
 */
#include "trace/identity.h"

#include <stdlib.h>
#include <string.h>

#include "trace/callers.h"
#include "trace/huge.h"
#include "trace/meta.h"
#include "trace/modules.h"
#include "trace/natives.h"

struct identities {
    const struct view *view;
    bool moved;
    struct meta meta;
    struct modules *modules;
    struct buffer words;
    struct identity_stacks *stacks;
    uint32_t *functions; /* of stacks, by id: 1 + the number, 0 if nobody asked */
    uint32_t *pending;   /* nodes, from a leaf outwards */
    size_t n_pending, capacity;
    struct arena arena;
};

void identity_stacks_free(struct identity_stacks *stacks)
{
    words_free(&stacks->functions);
    words_free(&stacks->texts);
    words_free(&stacks->natives);
    table_free(&stacks->lines);
    table_free(&stacks->stacks);
    free(stacks->known);
}

struct identities *identities_new(
    const struct view *view, bool moved, struct identity_stacks *stacks)
{
    struct identities *identities = calloc(1, sizeof *identities);
    enum view_key key = view->options->key;
    if (!identities)
        abort();
    identities->view = view;
    identities->moved = moved;
    identities->stacks = stacks;
    if (stacks->trace != view->trace) {
        free(stacks->known);
        stacks->trace = view->trace;
        stacks->known = huge_calloc(view->trace->n_nodes, sizeof *stacks->known);
        if (!stacks->known)
            abort();
        if (!stacks->stacks.capacity && view->options->key == VIEW_TRACEBACK)
            table_reserve(&stacks->stacks, view->trace->n_nodes);
    }
    meta_read(&identities->meta, view->trace);
    if (key == VIEW_TRACEBACK)
        identities->functions = arena_need(
            &identities->arena, view->trace->n_functions * sizeof *identities->functions);
    if (key == VIEW_MODULE || key == VIEW_PACKAGE)
        identities->modules = modules_new(view->trace);
    return identities;
}

void identities_free(struct identities *identities)
{
    modules_free(identities->modules);
    buffer_free(&identities->words);
    free(identities->pending);
    arena_free(&identities->arena);
    free(identities);
}

static void put(struct identities *identities, const char *text, size_t size)
{
    buffer_append(&identities->words, text, size);
    buffer_append(&identities->words, "", 1);
}

static void put_number(struct identities *identities, uint64_t number)
{
    buffer_append(&identities->words, &number, sizeof number);
}

static void put_file(struct identities *identities, const char *name)
{
    const char *part = callers_library_part(name), *cwd = identities->meta.cwd;
    size_t size = strlen(cwd);
    while (size > 1 && cwd[size - 1] == '/')
        size--;
    if (part == name && size > 1 && strncmp(name, cwd, size) == 0 && name[size] == '/')
        part = name + size + 1;
    put(identities, part, strlen(part));
}

/* The text of a line without the blanks around it; NULL if it is not known, or empty. */
static const char *source_of(
    const struct identities *identities, uint32_t file, uint32_t line, size_t *size)
{
    const char *text = view_source(identities->view->trace, file, line);
    if (!text)
        return NULL;
    text += strspn(text, " \t\f");
    *size = strlen(text);
    while (*size && strchr(" \t\r\n\f", text[*size - 1]))
        --*size;
    return *size ? text : NULL;
}

static void put_line(struct identities *identities, uint32_t node)
{
    const struct trace *trace = identities->view->trace;
    const struct trace_node *at = &trace->nodes[node];
    const struct trace_function *function = &trace->functions[at->function];
    const char *text = NULL;
    size_t size;
    put_file(identities, trace->strings[function->file].data);
    if (identities->moved) {
        put(identities, trace->strings[function->name].data, trace->strings[function->name].size);
        text = source_of(identities, function->file, at->line, &size);
    }
    if (text)
        put(identities, text, size);
    else
        put_number(identities, at->line);
}

static void put_function(struct identities *identities, uint32_t node)
{
    const struct trace *trace = identities->view->trace;
    const struct trace_function *function = &trace->functions[trace->nodes[node].function];
    put_file(identities, trace->strings[function->file].data);
    if (identities->view->options->key == VIEW_FUNCTION)
        put(identities, trace->strings[function->name].data, trace->strings[function->name].size);
}

/* Addresses are those of one build of a library: they stand for what has no name. */
static void put_native(struct identities *identities, uint32_t native)
{
    const struct trace *trace = identities->view->trace;
    const struct trace_native *at = &trace->natives[native];
    const char *library = natives_library(trace, native);
    const char *function = natives_function(trace, native);
    if (!library)
        library = native ? "<no library>" : "";
    put(identities, library, strlen(library));
    if (function)
        put(identities, function, strlen(function));
    else if (at->module)
        put_number(identities, at->address);
    if (function && !identities->moved && identities->view->options->key == VIEW_TRACEBACK)
        put_number(identities, at->line ? at->line : at->offset);
}

/* From 1. */
static uint32_t function_of(struct identities *identities, uint32_t id)
{
    const struct trace *trace = identities->view->trace;
    const struct trace_function *function = &trace->functions[id];
    const struct trace_string *name = &trace->strings[function->name];
    if (!identities->functions[id]) {
        identities->words.size = 0;
        put_file(identities, trace->strings[function->file].data);
        put(identities, name->data, name->size);
        identities->functions[id] =
            1 + words_number(&identities->stacks->functions, (const char *)identities->words.data,
                    identities->words.size);
    }
    return identities->functions[id];
}

static uint32_t line_of(struct identities *identities, uint32_t node)
{
    const struct trace *trace = identities->view->trace;
    const struct trace_node *at = &trace->nodes[node];
    uint64_t key = (uint64_t)function_of(identities, at->function) << 33 | at->line;
    size_t size;
    const char *text = identities->moved ? source_of(identities,
                                               trace->functions[at->function].file, at->line, &size)
                                         : NULL;
    if (text)
        key = (key >> 33 << 33) | 1ull << 32 | words_number(&identities->stacks->texts, text, size);
    uint32_t *number = table_at(&identities->stacks->lines, key);
    if (!*number)
        *number = ++identities->stacks->n_lines;
    return *number;
}

/* Of its library and its function, or its address. */
static uint32_t native_of(struct identities *identities, uint32_t native)
{
    identities->words.size = 0;
    put_native(identities, native);
    return words_number(
        &identities->stacks->natives, (const char *)identities->words.data, identities->words.size);
}

static uint32_t frame_of(struct identities *identities, uint32_t node)
{
    uint32_t native = identities->view->trace->nodes[node].native;
    return native ? native_of(identities, native) | 1u << 31 : line_of(identities, node);
}

static void push(struct identities *identities, uint32_t node)
{
    if (identities->n_pending == identities->capacity) {
        identities->capacity = identities->capacity ? identities->capacity * 2 : 64;
        identities->pending =
            reallocarray(identities->pending, identities->capacity, sizeof *identities->pending);
        if (!identities->pending)
            abort();
    }
    identities->pending[identities->n_pending++] = node;
}

/* Stacks share their callers: each node is looked at once, whatever the depth of what it called. */
static uint32_t stack_of(struct identities *identities, uint32_t leaf)
{
    const struct trace_node *nodes = identities->view->trace->nodes;
    uint32_t node = leaf, *known = identities->stacks->known;
    for (; node && !known[node]; node = nodes[node].parent)
        push(identities, node);
    while (identities->n_pending) {
        uint64_t callers = known[node];
        node = identities->pending[--identities->n_pending];
        uint64_t key = callers << 32 | frame_of(identities, node);
        uint32_t *number = table_at(&identities->stacks->stacks, key);
        if (!*number)
            *number = ++identities->stacks->count;
        known[node] = *number;
    }
    return known[leaf];
}

uint32_t identity_of_stack(struct identities *identities, const struct view_row *row)
{
    bool is_stack = identities->view->options->key == VIEW_TRACEBACK && row->node;
    return is_stack ? stack_of(identities, row->node) : 0;
}

static void put_frames(struct identities *identities, uint32_t node)
{
    const struct trace *trace = identities->view->trace;
    switch (identities->view->options->key) {
    case VIEW_FILENAME:
    case VIEW_FUNCTION:
        put_function(identities, node);
        break;
    case VIEW_MODULE:
    case VIEW_PACKAGE: {
        const struct module *module = modules_of_file(
            identities->modules, trace->functions[trace->nodes[node].function].file);
        bool whole = identities->view->options->key == VIEW_MODULE;
        const char *name = whole ? module->module_name : module->package_name;
        put(identities, name, strlen(name));
        break;
    }
    default:
        put_line(identities, node);
        break;
    }
}

/* The arguments of a process, without the directories that they are in. */
static void put_command(struct identities *identities, const struct trace_string *command)
{
    const char *end = command->data + command->size;
    for (const char *word = command->data; word < end; word += strlen(word) + 1) {
        const char *slash = strrchr(word, '/');
        slash = slash && slash[1] ? slash + 1 : word;
        put(identities, slash, strlen(slash));
    }
}

static void put_library(struct identities *identities, uint32_t native)
{
    const char *library = natives_library(identities->view->trace, native);
    put(identities, library ? library : "", library ? strlen(library) : 0);
}

/* Numbers of processes and threads differ from run to run; commands and names do not. */
static void put_other(struct identities *identities, const struct trace_site *site)
{
    const struct trace *trace = identities->view->trace;
    const struct trace_string *command = &trace->strings[trace->processes[site->process].command];
    const struct trace_string *name = &trace->strings[trace->threads[site->thread].name];
    switch (identities->view->options->key) {
    case VIEW_DOMAIN:
        put_number(identities, (uint64_t)site->domain);
        break;
    case VIEW_NATIVE_FRAME:
        put_native(identities, site->native);
        break;
    case VIEW_TRACEBACK:
        break; /* native code alone */
    case VIEW_THREAD:
        put(identities, name->data, name->size);
        put_command(identities, command);
        break;
    default:
        put_command(identities, command);
        break;
    }
}

const char *identity_of_row(struct identities *identities, const struct view_row *row, size_t *size)
{
    const struct trace_site *site = &identities->view->trace->sites[row->site];
    enum view_key key = identities->view->options->key;
    identities->words.size = 0;
    put(identities, "", 0); /* so that there are words of a process without a command too */
    if (row->node)
        put_frames(identities, row->node);
    else if (key == VIEW_MODULE)
        put_library(identities, site->native);
    else if (view_key_has_frames(key))
        put(identities, "", 0);
    else
        put_other(identities, site);
    *size = identities->words.size;
    return (const char *)identities->words.data;
}
