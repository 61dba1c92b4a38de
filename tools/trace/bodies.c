/*
 * Adds what is in a chunk to the model of a trace.  Runs in every report, on
 * input that nobody vouches for: each id and count is checked here and never
 * again.
 */
#include "trace/bodies.h"

#include <stdlib.h>
#include <string.h>

#include "trace/arena.h"
#include "trace/bodies_parts.h"
#include "trace/huge.h"

/* A few bytes in a file can claim to be millions of records. */
static bool take_room(struct reader *reader, size_t count, size_t item)
{
    if (count > reader->room / item)
        reader->no_room = true;
    else
        reader->room -= count * item;
    return !reader->no_room;
}

void *body_extend(struct reader *reader, void *array, size_t count, size_t more, size_t item)
{
    char *bigger = NULL;
    if (more == 0 || !take_room(reader, more, item))
        return array;
    if (count + more < UINT32_MAX)
        bigger = huge_realloc(array, count + more, item);
    if (!bigger) {
        reader->no_memory = true;
        return array;
    }
    memset(bigger + count * item, 0, more * item);
    return bigger;
}

void *body_allocate(struct reader *reader, size_t size)
{
    if (!take_room(reader, size, 1))
        return NULL;
    void *memory = arena_alloc(reader->trace->arena, size);
    if (!memory)
        reader->no_memory = true;
    return memory;
}

uint32_t body_process_id(struct trace *trace, struct cursor *body)
{
    uint32_t id = cursor_id(body, trace->n_processes);
    if (id == 0)
        body->bad = true;
    return id;
}

static char *parse_text(struct reader *reader, struct cursor *body)
{
    size_t size = cursor_left(body);
    char *text = body_allocate(reader, size + 1);
    if (text)
        memcpy(text, cursor_bytes(body, size), size);
    return text;
}

static void parse_meta(struct reader *reader, struct cursor *body)
{
    reader->trace->meta = parse_text(reader, body);
}

static void parse_end(struct reader *reader, struct cursor *body)
{
    reader->trace->end = parse_text(reader, body);
    reader->trace->sealed = true;
}

static void parse_strings(struct reader *reader, struct cursor *body)
{
    struct trace *trace = reader->trace;
    size_t n = cursor_count(body, 1);
    if (!EXTEND(reader, trace->strings, trace->n_strings, n))
        return;
    char *text = body_allocate(reader, cursor_left(body) + n);
    while (text && n-- && !body->bad) {
        size_t size = cursor_count(body, 1);
        const uint8_t *bytes = cursor_bytes(body, size);
        if (body->bad)
            return;
        memcpy(text, bytes, size);
        trace->strings[trace->n_strings++] = (struct trace_string){.data = text, .size = size};
        text += size + 1;
    }
}

static parse_function *const parsers[] = {
    [MT_CHUNK_META] = parse_meta,
    [MT_CHUNK_STRINGS] = parse_strings,
    [MT_CHUNK_FUNCTIONS] = body_functions,
    [MT_CHUNK_NODES] = body_nodes,
    [MT_CHUNK_PROCESSES] = body_processes,
    [MT_CHUNK_THREADS] = body_threads,
    [MT_CHUNK_SITES] = body_sites,
    [MT_CHUNK_TIMELINE] = body_timeline,
    [MT_CHUNK_BOUNDARY] = body_boundary,
    [MT_CHUNK_PEAK] = body_peak,
    [MT_CHUNK_LINES] = body_lines,
    [MT_CHUNK_PROCESS_END] = body_process_end,
    [MT_CHUNK_END] = parse_end,
    [MT_CHUNK_REGIONS] = body_regions,
    [MT_CHUNK_THIN] = body_thin,
    [MT_CHUNK_SIZES] = body_sizes,
    [MT_CHUNK_MODULES] = body_modules,
    [MT_CHUNK_NATIVES] = body_natives,
    [MT_CHUNK_SYMBOLS] = body_symbols,
    [MT_CHUNK_SAMPLING] = body_sampling,
    [MT_CHUNK_LOG] = body_log,
    [MT_CHUNK_SAMPLED_BOUNDARY] = body_sampled_boundary,
    [MT_CHUNK_SAMPLED_PEAK] = body_sampled_peak,
    [MT_CHUNK_ANCHORS] = body_anchors,
    [MT_CHUNK_THREAD_NAMES] = body_thread_names,
    [MT_CHUNK_PYTHONS] = body_pythons,
    [MT_CHUNK_SHARES] = body_shares,
    [MT_CHUNK_INLINED] = body_inlined,
    [MT_CHUNK_UNTOUCHED] = body_untouched,
    [MT_CHUNK_ALLOCATORS] = body_allocators,
    [MT_CHUNK_FILES] = body_files,
};

/* The retained boundary of all processes at or before each one. */
static uint32_t *retained_before(const struct trace *trace)
{
    uint32_t *before = malloc((trace->n_boundaries + 1) * sizeof *before), last = 0;
    for (size_t i = 0; before && i < trace->n_boundaries; i++) {
        if (!trace->boundaries[i].dropped && !trace->boundaries[i].process)
            last = (uint32_t)i;
        before[i] = last;
    }
    if (before)
        before[trace->n_boundaries] = last;
    return before;
}

void bodies_settle(struct reader *reader)
{
    struct trace *trace = reader->trace;
    uint32_t *before = retained_before(trace);
    if (!before) {
        reader->no_memory = true;
        return;
    }
    for (size_t i = 0; i < trace->n_boundaries; i++) {
        for (size_t k = 0; k < trace->boundaries[i].count; k++) {
            struct trace_row *row = &trace->boundaries[i].rows[k];
            row->birth = before[row->birth];
        }
    }
    for (size_t i = 0; i < trace->n_processes; i++) {
        for (size_t k = 0; k < trace->peaks[i].count; k++) {
            struct trace_row *row = &trace->peaks[i].rows[k];
            row->birth = before[row->birth];
        }
    }
    trace->retained_before = before;
}

bool bodies_parse(struct reader *reader, int kind, struct cursor *body)
{
    if ((size_t)kind >= sizeof parsers / sizeof *parsers || !parsers[kind])
        return true;
    parsers[kind](reader, body);
    return !reader->no_room && !body->bad && cursor_left(body) == 0;
}

void bodies_begin(struct reader *reader)
{
    struct trace *trace = reader->trace;
    trace->arena = calloc(1, sizeof(struct arena));
    if (!trace->arena || !EXTEND(reader, trace->strings, 0, 1) ||
        !EXTEND(reader, trace->functions, 0, 1) || !EXTEND(reader, trace->nodes, 0, 1) ||
        !EXTEND(reader, trace->processes, 0, 1) || !EXTEND(reader, trace->timelines, 0, 1) ||
        !EXTEND(reader, trace->peaks, 0, 1) || !EXTEND(reader, trace->sizes, 0, 1) ||
        !EXTEND(reader, trace->threads, 0, 1) || !EXTEND(reader, trace->modules, 0, 1) ||
        !EXTEND(reader, trace->natives, 0, 1) || !EXTEND(reader, trace->sites, 0, 1)) {
        reader->no_memory = true;
        return;
    }
    trace->strings[0].data = "";
    trace->n_strings = trace->n_functions = trace->n_nodes = 1;
    trace->n_modules = trace->n_natives = 1;
    trace->n_processes = trace->n_threads = trace->n_sites = 1;
}

void bodies_end(struct reader *reader)
{
    free(reader->encoded);
}
