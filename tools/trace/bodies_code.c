/*
 * Bodies of chunks (bodies.h): code, stacks of it, and sites.  Runs in every
 * report.
 */
#include "trace/bodies_parts.h"

#include "memtrace/format.h"

void body_functions(struct reader *reader, struct cursor *body)
{
    struct trace *trace = reader->trace;
    size_t n = cursor_count(body, 3);
    if (!EXTEND(reader, trace->functions, trace->n_functions, n))
        return;
    while (n--) {
        struct trace_function function;
        function.file = cursor_id(body, trace->n_strings);
        function.name = cursor_id(body, trace->n_strings);
        function.first_line = cursor_id(body, UINT32_MAX);
        if (body->bad)
            return;
        trace->functions[trace->n_functions++] = function;
    }
}

void body_nodes(struct reader *reader, struct cursor *body)
{
    struct trace *trace = reader->trace;
    size_t n = cursor_count(body, 3);
    if (!EXTEND(reader, trace->nodes, trace->n_nodes, n))
        return;
    while (n--) {
        struct trace_node node = {0};
        node.parent = cursor_id(body, trace->n_nodes);
        node.function = cursor_id(body, trace->n_functions);
        node.line = cursor_id(body, UINT32_MAX);
        if (body->bad)
            return;
        trace->nodes[trace->n_nodes++] = node;
    }
}

void body_modules(struct reader *reader, struct cursor *body)
{
    struct trace *trace = reader->trace;
    size_t n = cursor_count(body, 2);
    if (!EXTEND(reader, trace->modules, trace->n_modules, n))
        return;
    while (n--) {
        struct trace_module module = {0};
        module.path = cursor_id(body, trace->n_strings);
        module.build_id = cursor_id(body, trace->n_strings);
        if (body->bad)
            return;
        trace->modules[trace->n_modules++] = module;
    }
}

void body_allocators(struct reader *reader, struct cursor *body)
{
    struct trace *trace = reader->trace;
    for (size_t n = cursor_count(body, 2); n && !body->bad; n--) {
        uint32_t id = cursor_id(body, trace->n_modules), name = cursor_id(body, trace->n_strings);
        body->bad |= !id;
        if (!body->bad)
            trace->modules[id].allocator = name;
    }
}

void body_natives(struct reader *reader, struct cursor *body)
{
    struct trace *trace = reader->trace;
    size_t n = cursor_count(body, 3);
    if (!EXTEND(reader, trace->natives, trace->n_natives, n))
        return;
    while (n--) {
        struct trace_native native = {0};
        native.parent = cursor_id(body, trace->n_natives);
        native.module = cursor_id(body, trace->n_modules);
        native.address = cursor_varint(body);
        if (body->bad)
            return;
        trace->natives[trace->n_natives++] = native;
    }
}

void body_symbols(struct reader *reader, struct cursor *body)
{
    struct trace *trace = reader->trace;
    for (size_t n = cursor_count(body, 5); n && !body->bad; n--) {
        uint32_t id = cursor_id(body, trace->n_natives);
        struct trace_native native = trace->natives[id];
        native.function = cursor_id(body, trace->n_strings);
        native.offset = cursor_varint(body);
        native.file = cursor_id(body, trace->n_strings);
        native.line = cursor_id(body, UINT32_MAX);
        if (!id)
            body->bad = true;
        if (!body->bad)
            trace->natives[id] = native;
    }
}

void body_inlined(struct reader *reader, struct cursor *body)
{
    struct trace *trace = reader->trace;
    size_t n = cursor_count(body, 4);
    if (!EXTEND(reader, trace->inlined, trace->n_inlined, n))
        return;
    while (n--) {
        struct trace_inlined inlined;
        inlined.native = cursor_id(body, trace->n_natives);
        inlined.function = cursor_id(body, trace->n_strings);
        inlined.file = cursor_id(body, trace->n_strings);
        inlined.line = cursor_id(body, UINT32_MAX);
        body->bad |= !inlined.native || !inlined.function;
        if (body->bad)
            return;
        trace->inlined[trace->n_inlined++] = inlined;
    }
}

void body_anchors(struct reader *reader, struct cursor *body)
{
    struct trace *trace = reader->trace;
    for (size_t n = cursor_count(body, 2); n && !body->bad; n--) {
        uint32_t id = cursor_id(body, trace->n_natives), node = cursor_id(body, trace->n_nodes);
        body->bad |= !id;
        if (!body->bad) {
            trace->natives[id].is_anchor = true;
            trace->natives[id].node = node;
        }
    }
}

void body_lines(struct reader *reader, struct cursor *body)
{
    struct trace *trace = reader->trace;
    size_t n = cursor_count(body, 3);
    if (!EXTEND(reader, trace->sources, trace->n_sources, n))
        return;
    while (n--) {
        struct trace_source source;
        source.file = cursor_id(body, trace->n_strings);
        source.line = cursor_id(body, UINT32_MAX);
        source.text = cursor_id(body, trace->n_strings);
        if (body->bad)
            return;
        trace->sources[trace->n_sources++] = source;
    }
}

void body_sites(struct reader *reader, struct cursor *body)
{
    struct trace *trace = reader->trace;
    size_t n = cursor_count(body, 5);
    if (!EXTEND(reader, trace->sites, trace->n_sites, n))
        return;
    while (n--) {
        struct trace_site site;
        site.process = body_process_id(trace, body);
        site.thread = cursor_id(body, trace->n_threads);
        site.domain = (int)cursor_id(body, MT_DOMAIN_FILE);
        site.node = cursor_id(body, trace->n_nodes);
        site.native = cursor_id(body, trace->n_natives);
        site.stack = site.node;
        if (body->bad)
            return;
        trace->sites[trace->n_sites++] = site;
    }
}

void body_files(struct reader *reader, struct cursor *body)
{
    struct trace *trace = reader->trace;
    uint64_t id = 0;
    for (size_t n = cursor_count(body, 1); n && !body->bad; n--) {
        id += (uint64_t)cursor_svarint(body);
        body->bad |= !id || id >= trace->n_sites;
        if (!body->bad && trace->sites[id].domain == MT_DOMAIN_MMAP)
            trace->sites[id].domain = MT_DOMAIN_FILE;
    }
}
