/*
 * Keys and rows of a view.  A name that was defined twice is one name here, and a
 * stack that was is one stack.
 */
#include "trace/group.h"

#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "trace/arena.h"
#include "trace/modules.h"
#include "trace/natives.h"
#include "trace/table.h"

/* Keys of stacks with a native caller begin here, behind those of stacks alone. */
#define PAIRS (1ull << 32)

struct name {
    uint32_t id;
    UT_hash_handle hh;
};

struct group {
    const struct trace *trace;
    enum view_key key;
    struct arena arena;
    struct name *names;      /* by their bytes */
    uint32_t *canonical;     /* by string: the first that reads the same, 0 if not looked up */
    uint32_t *lines;         /* by node: the number of its line, 0 if not looked up */
    uint32_t *stacks;        /* by node: its number, 0 if not looked up */
    uint32_t *functions;     /* by id: the number of its file and name, 0 if not looked up */
    struct modules *modules; /* of the keys module and package */
    struct table native_numbers, made_numbers, pair_numbers, stack_numbers, frame_numbers,
        library_numbers, line_numbers, function_numbers, rows;
    uint32_t n_natives, n_made, n_pairs, n_stacks, n_frames, n_lines, n_functions;
    uint32_t *row_of_key; /* 1 + the row of a small key, as most are */
    size_t n_small, n_rows;
};

struct group *group_new(const struct trace *trace, enum view_key key)
{
    struct group *group = calloc(1, sizeof *group);
    if (!group)
        abort();
    group->trace = trace;
    group->key = key;
    group->canonical = arena_need(&group->arena, trace->n_strings * sizeof(uint32_t));
    group->lines = arena_need(&group->arena, trace->n_nodes * sizeof(uint32_t));
    group->n_small = trace->n_nodes + trace->n_strings;
    group->row_of_key = arena_need(&group->arena, group->n_small * sizeof(uint32_t));
    group->functions = arena_need(&group->arena, trace->n_functions * sizeof(uint32_t));
    if (key == VIEW_MODULE || key == VIEW_PACKAGE)
        group->modules = modules_new(trace);
    if (key == VIEW_TRACEBACK) {
        group->stacks = arena_need(&group->arena, trace->n_nodes * sizeof(uint32_t));
        table_reserve(&group->stack_numbers, trace->n_nodes); /* hardly any are equal */
    }
    return group;
}

void group_free(struct group *group)
{
    HASH_CLEAR(hh, group->names);
    modules_free(group->modules);
    table_free(&group->native_numbers);
    table_free(&group->made_numbers);
    table_free(&group->pair_numbers);
    table_free(&group->stack_numbers);
    table_free(&group->frame_numbers);
    table_free(&group->library_numbers);
    table_free(&group->line_numbers);
    table_free(&group->function_numbers);
    table_free(&group->rows);
    arena_free(&group->arena);
    free(group);
}

static uint32_t canonical(struct group *group, uint32_t string)
{
    const struct trace_string *text = &group->trace->strings[string];
    struct name *name;
    if (group->canonical[string] || !string)
        return group->canonical[string];
    HASH_FIND(hh, group->names, text->data, text->size, name);
    if (!name) {
        name = arena_need(&group->arena, sizeof *name);
        name->id = string;
        HASH_ADD_KEYPTR(hh, group->names, text->data, text->size, name);
    }
    group->canonical[string] = name->id;
    return name->id;
}

static uint64_t line_key(struct group *group, uint32_t node)
{
    const struct trace_node *at = &group->trace->nodes[node];
    uint32_t file = canonical(group, group->trace->functions[at->function].file);
    return (uint64_t)file << 32 | at->line;
}

static uint32_t number_of(struct table *table, uint64_t key, uint32_t *count)
{
    uint32_t *number = table_at(table, key);
    if (!*number)
        *number = ++*count;
    return *number;
}

uint32_t group_line_number(struct group *group, uint32_t node)
{
    uint32_t *line = &group->lines[node];
    if (!*line)
        *line = number_of(&group->line_numbers, line_key(group, node), &group->n_lines);
    return *line;
}

static uint32_t function_number(struct group *group, uint32_t id)
{
    const struct trace_function *function = &group->trace->functions[id];
    if (!group->functions[id]) {
        uint64_t file = canonical(group, function->file);
        uint64_t key = file << 32 | canonical(group, function->name);
        group->functions[id] = number_of(&group->function_numbers, key, &group->n_functions);
    }
    return group->functions[id];
}

/* A line of a function: code made at run time has many functions on one line, and a native one may
   be in several libraries. */
static uint32_t line_frame_number(struct group *group, uint32_t node)
{
    const struct trace *trace = group->trace;
    const struct trace_node *at = &trace->nodes[node];
    uint64_t key = (uint64_t)function_number(group, at->function) << 32 | at->line;
    uint32_t number = number_of(&group->frame_numbers, key, &group->n_frames);
    if (!at->native)
        return number;
    uint32_t library = canonical(group, trace->modules[trace->natives[at->native].module].path);
    return number_of(&group->library_numbers, (uint64_t)number << 32 | library, &group->n_frames);
}

/* A call in a function that was made at run time: others may have others at its address. */
static uint32_t made_number(struct group *group, uint32_t native)
{
    const struct trace_native *at = &group->trace->natives[native];
    uint32_t function = canonical(group, at->function);
    uint32_t place = number_of(&group->made_numbers, at->address, &group->n_made);
    uint64_t key = 1ull << 63 | (uint64_t)function << 32 | place;
    return number_of(&group->made_numbers, key, &group->n_made);
}

/* A stack is of one call, a row of native frames of a function with all the calls in it.  Addresses
   in a module have fewer than 40 bits; all code of no module that has no name is one row of native
   frames. */
static uint32_t native_number(struct group *group, uint32_t native)
{
    const struct trace_native *at = &group->trace->natives[native];
    uint32_t path = canonical(group, group->trace->modules[at->module].path);
    bool is_row = group->key == VIEW_NATIVE_FRAME;
    uint64_t key = (uint64_t)path << 40 | (at->address & 0xffffffffff);
    if (at->function && is_row)
        key = 1ull << 63 | (uint64_t)path << 32 | canonical(group, at->function);
    else if (at->function && !path)
        key = 1ull << 61 | made_number(group, native);
    else if (!path)
        key = 1ull << 62 | (is_row ? 1 : at->address);
    return native ? number_of(&group->native_numbers, key, &group->n_natives) : 0;
}

/* The number of a stack, from 1: the same for two that have the same frames. */
static uint32_t stack_number(struct group *group, uint32_t node)
{
    const struct trace_node *nodes = group->trace->nodes;
    uint32_t depth = 0, known = node;
    if (group->stacks[node])
        return group->stacks[node];
    for (; known && !group->stacks[known]; known = nodes[known].parent)
        depth++;
    uint32_t *path = calloc(depth + 1u, sizeof *path);
    if (!path)
        abort();
    for (uint32_t i = depth, at = node; i-- > 0; at = nodes[at].parent)
        path[i] = at;
    uint64_t number = group->stacks[known];
    for (uint32_t i = 0; i < depth; i++) {
        uint32_t native = nodes[path[i]].native;
        uint32_t frame =
            native ? native_number(group, native) | 1u << 31 : line_frame_number(group, path[i]);
        uint64_t key = number << 32 | frame;
        number = number_of(&group->stack_numbers, key, &group->n_stacks);
        group->stacks[path[i]] = (uint32_t)number;
    }
    free(path);
    return group->stacks[node];
}

/* In place of the module of a native frame. */
static uint64_t library_number(struct group *group, uint32_t native)
{
    const char *library = natives_library(group->trace, native);
    return library ? modules_of_library(group->modules, library) : 0;
}

uint64_t group_key_of_node(struct group *group, uint32_t node)
{
    const struct trace_function *function =
        &group->trace->functions[group->trace->nodes[node].function];
    uint32_t native = group->trace->nodes[node].native;
    switch (group->key) {
    case VIEW_FILENAME:
        return canonical(group, function->file);
    case VIEW_FUNCTION:
        return (uint64_t)canonical(group, function->file) << 32 | canonical(group, function->name);
    case VIEW_MODULE:
        if (native)
            return library_number(group, native);
        return node ? modules_of_file(group->modules, function->file)->module : 0;
    case VIEW_PACKAGE:
        if (native)
            return library_number(group, native);
        return node ? modules_of_file(group->modules, function->file)->package : 0;
    case VIEW_TRACEBACK:
        return stack_number(group, node);
    default:
        return group_line_number(group, node);
    }
}

uint32_t group_frame_number(struct group *group, uint32_t node)
{
    switch (group->key) {
    case VIEW_FILENAME:
    case VIEW_FUNCTION:
    case VIEW_MODULE:
    case VIEW_PACKAGE:
        return number_of(&group->frame_numbers, group_key_of_node(group, node), &group->n_frames);
    default:
        return line_frame_number(group, node);
    }
}

uint64_t group_key_of_native(struct group *group, uint64_t stack, uint32_t native)
{
    if (group->key == VIEW_MODULE)
        return library_number(group, native);
    if (!native)
        return stack;
    uint64_t key = stack << 32 | native_number(group, native);
    return PAIRS + number_of(&group->pair_numbers, key, &group->n_pairs);
}

size_t group_row(struct group *group, uint64_t key, bool *added)
{
    uint32_t *row = key < group->n_small ? &group->row_of_key[key] : table_at(&group->rows, key);
    *added = *row == 0;
    if (*added)
        *row = (uint32_t)++group->n_rows;
    return *row - 1;
}
