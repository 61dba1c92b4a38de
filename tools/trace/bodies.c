/*
 * Adds what is in a chunk to the model of a trace.  Runs in every report, on
 * input that nobody vouches for: each id and count is checked here and never
 * again.
 */
#include "trace/bodies.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "trace/arena.h"
#include "trace/huge.h"
#include "trace/log.h"
#include "trace/rows.h"

#define SAMPLING_MOST (1ull << 40) /* bytes between samples, as `run` takes them */

typedef void parse_function(struct reader *reader, struct cursor *body);

/* A few bytes in a file can claim to be millions of records. */
static bool take_room(struct reader *reader, size_t count, size_t item)
{
    if (count > reader->room / item)
        reader->no_room = true;
    else
        reader->room -= count * item;
    return !reader->no_room;
}

/* Makes room for `more` zeroed records behind `count`. */
static void *extend(struct reader *reader, void *array, size_t count, size_t more, size_t item)
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

#define EXTEND(reader, array, count, more)                                                         \
    ((array) = extend((reader), (array), (count), (more), sizeof *(array)),                        \
        !(reader)->no_memory && !(reader)->no_room)

static void *allocate(struct reader *reader, size_t size)
{
    if (!take_room(reader, size, 1))
        return NULL;
    void *memory = arena_alloc(reader->trace->arena, size);
    if (!memory)
        reader->no_memory = true;
    return memory;
}

static char *parse_text(struct reader *reader, struct cursor *body)
{
    size_t size = cursor_left(body);
    char *text = allocate(reader, size + 1);
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
    char *text = allocate(reader, cursor_left(body) + n);
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

static void parse_functions(struct reader *reader, struct cursor *body)
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

static void parse_nodes(struct reader *reader, struct cursor *body)
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

static void parse_process(struct trace *trace, struct cursor *body, struct trace_process *process)
{
    process->pid = (int)cursor_id(body, INT_MAX);
    process->parent = cursor_id(body, trace->n_processes);
    process->start_us = cursor_varint(body);
    process->origin = (int)cursor_id(body, MT_ORIGIN_FORK + 1);
    process->path = cursor_id(body, trace->n_strings);
    process->command = cursor_id(body, trace->n_strings);
    process->python = cursor_id(body, trace->n_strings);
    process->traced = (int)cursor_id(body, MT_PYTHON_UNKNOWN + 1);
    process->status = -1;
}

static void parse_processes(struct reader *reader, struct cursor *body)
{
    struct trace *trace = reader->trace;
    size_t n = cursor_count(body, 8);
    if (!EXTEND(reader, trace->processes, trace->n_processes, n) ||
        !EXTEND(reader, trace->timelines, trace->n_processes, n) ||
        !EXTEND(reader, trace->peaks, trace->n_processes, n) ||
        !EXTEND(reader, trace->sizes, trace->n_processes, n))
        return;
    while (n--) {
        struct trace_process process = {0};
        parse_process(trace, body, &process);
        if (body->bad)
            return;
        trace->timelines[trace->n_processes].process = (uint32_t)trace->n_processes;
        trace->processes[trace->n_processes++] = process;
    }
}

/* A process that must be one: 0 will not do. */
static uint32_t parse_process_id(struct trace *trace, struct cursor *body)
{
    uint32_t id = cursor_id(body, trace->n_processes);
    if (id == 0)
        body->bad = true;
    return id;
}

static void parse_threads(struct reader *reader, struct cursor *body)
{
    struct trace *trace = reader->trace;
    size_t n = cursor_count(body, 4);
    if (!EXTEND(reader, trace->threads, trace->n_threads, n))
        return;
    while (n--) {
        struct trace_thread thread;
        thread.process = parse_process_id(trace, body);
        thread.tid = (int)cursor_id(body, INT_MAX);
        thread.name = cursor_id(body, trace->n_strings);
        thread.start_us = cursor_varint(body);
        if (body->bad)
            return;
        trace->threads[trace->n_threads++] = thread;
    }
}

static void parse_thread_names(struct reader *reader, struct cursor *body)
{
    struct trace *trace = reader->trace;
    size_t n = cursor_count(body, 2);
    while (n--) {
        uint32_t thread = cursor_id(body, trace->n_threads);
        uint32_t name = cursor_id(body, trace->n_strings);
        if (!thread)
            body->bad = true;
        if (body->bad)
            return;
        trace->threads[thread].name = name;
    }
}

static void parse_pythons(struct reader *reader, struct cursor *body)
{
    struct trace *trace = reader->trace;
    size_t n = cursor_count(body, 3);
    while (n--) {
        uint32_t process = parse_process_id(trace, body);
        uint32_t python = cursor_id(body, trace->n_strings);
        uint32_t traced = cursor_id(body, MT_PYTHON_UNKNOWN + 1);
        if (body->bad)
            return;
        trace->processes[process].python = python;
        trace->processes[process].traced = (int)traced;
    }
}

static void parse_modules(struct reader *reader, struct cursor *body)
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

static void parse_allocators(struct reader *reader, struct cursor *body)
{
    struct trace *trace = reader->trace;
    for (size_t n = cursor_count(body, 2); n && !body->bad; n--) {
        uint32_t id = cursor_id(body, trace->n_modules), name = cursor_id(body, trace->n_strings);
        body->bad |= !id;
        if (!body->bad)
            trace->modules[id].allocator = name;
    }
}

static void parse_natives(struct reader *reader, struct cursor *body)
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

static void parse_symbols(struct reader *reader, struct cursor *body)
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

static void parse_inlined(struct reader *reader, struct cursor *body)
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

static void parse_anchors(struct reader *reader, struct cursor *body)
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

static void parse_sites(struct reader *reader, struct cursor *body)
{
    struct trace *trace = reader->trace;
    size_t n = cursor_count(body, 5);
    if (!EXTEND(reader, trace->sites, trace->n_sites, n))
        return;
    while (n--) {
        struct trace_site site;
        site.process = parse_process_id(trace, body);
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

static void parse_files(struct reader *reader, struct cursor *body)
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

static void parse_sample(struct cursor *body, struct trace_sample *sample)
{
    uint64_t *fields[] = {&sample->time_us, &sample->rss, &sample->python, &sample->native,
        &sample->mapped, &sample->arenas, &sample->high};
    uint64_t before = sample->time_us;
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        *fields[i] += (uint64_t)cursor_svarint(body);
    if (sample->time_us < before)
        body->bad = true;
}

static void parse_timeline(struct reader *reader, struct cursor *body)
{
    struct trace_sample sample = {0};
    uint32_t process = cursor_id(body, reader->trace->n_processes);
    struct trace_timeline *timeline = &reader->trace->timelines[process];
    size_t n = cursor_count(body, 7);
    if (!EXTEND(reader, timeline->samples, timeline->count, n))
        return;
    while (n--) {
        parse_sample(body, &sample);
        if (timeline->count && sample.time_us < timeline->samples[timeline->count - 1].time_us)
            body->bad = true;
        if (body->bad)
            return;
        timeline->samples[timeline->count++] = sample;
    }
}

static void parse_shares(struct reader *reader, struct cursor *body)
{
    struct trace_share share = {0};
    uint64_t *fields[] = {&share.time_us, &share.rss, &share.pss, &share.uss};
    uint32_t process = cursor_id(body, reader->trace->n_processes);
    struct trace_timeline *timeline = &reader->trace->timelines[process];
    size_t n = cursor_count(body, 4);
    if (!EXTEND(reader, timeline->shares, timeline->n_shares, n))
        return;
    while (n-- && !body->bad) {
        for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
            *fields[i] += (uint64_t)cursor_svarint(body);
        if (timeline->n_shares && share.time_us < timeline->shares[timeline->n_shares - 1].time_us)
            body->bad = true;
        if (!body->bad)
            timeline->shares[timeline->n_shares++] = share;
    }
}

/* Room for `count` rows as they are in the file, which the next chunk takes again. */
static struct row *encoded_rows(struct reader *reader, size_t count)
{
    if (count >= reader->n_encoded) {
        free(reader->encoded);
        reader->n_encoded = count + count / 2 + 1024;
        reader->encoded = huge_calloc(reader->n_encoded, sizeof *reader->encoded);
    }
    if (!reader->encoded) {
        reader->n_encoded = 0;
        reader->no_memory = true;
    }
    return reader->encoded;
}

/* Of values that a row has not, what the last chunk left there is not looked at. */
static struct trace_row row_of(const struct row *row, int values)
{
    const int64_t *value = row->values;
    bool of_peak = values == ROWS_OF_PEAK || values == ROWS_OF_SAMPLED_PEAK;
    return (struct trace_row){.site = row->site,
        .birth = row->birth,
        .bytes = value[0],
        .blocks = value[1],
        .allocated_bytes = of_peak ? 0 : value[2],
        .allocations = of_peak ? 0 : value[3]};
}

static struct trace_spread *spreads_of(
    struct reader *reader, const struct row *rows, size_t count, int values)
{
    bool of_peak = values == ROWS_OF_SAMPLED_PEAK;
    if (!of_peak && values != ROWS_OF_SAMPLED_BOUNDARY)
        return NULL;
    struct trace_spread *spreads = allocate(reader, count * sizeof *spreads);
    for (size_t i = 0; i < count && spreads; i++)
        spreads[i] =
            (struct trace_spread){rows[i].values[of_peak ? 2 : 4], of_peak ? 0 : rows[i].values[5]};
    return spreads;
}

/* Rows of a boundary or, with fewer changes each, of a peak. */
static struct trace_row *parse_rows(struct reader *reader, struct cursor *body, size_t *count,
    int values, struct trace_spread **spreads)
{
    struct trace *trace = reader->trace;
    size_t n = cursor_count(body, 2 + (size_t)values);
    struct trace_row *rows = allocate(reader, n * sizeof *rows);
    struct row *encoded = rows ? encoded_rows(reader, n) : NULL;
    *count = n;
    if (!encoded)
        return rows;
    rows_get(body, encoded, n, values, trace->n_sites, trace->n_boundaries + 1);
    if (body->bad)
        return rows;
    for (size_t i = 0; i < n; i++)
        rows[i] = row_of(&encoded[i], values);
    *spreads = spreads_of(reader, encoded, n, values);
    return rows;
}

static void parse_boundary_of(struct reader *reader, struct cursor *body, int values)
{
    struct trace *trace = reader->trace;
    struct trace_boundary boundary = {0};
    boundary.kind = (int)cursor_id(body, MT_BOUNDARY_DROPPED + 1);
    boundary.dropped = boundary.kind == MT_BOUNDARY_DROPPED;
    boundary.process = cursor_id(body, trace->n_processes);
    boundary.time_us = cursor_varint(body);
    boundary.name = cursor_id(body, trace->n_strings);
    boundary.rows = parse_rows(reader, body, &boundary.count, values, &boundary.spreads);
    if (body->bad || !EXTEND(reader, trace->boundaries, trace->n_boundaries, 1))
        return;
    trace->boundaries[trace->n_boundaries++] = boundary;
}

static void parse_boundary(struct reader *reader, struct cursor *body)
{
    parse_boundary_of(reader, body, ROWS_OF_BOUNDARY);
}

static void parse_sampled_boundary(struct reader *reader, struct cursor *body)
{
    parse_boundary_of(reader, body, ROWS_OF_SAMPLED_BOUNDARY);
}

static void parse_sampling(struct reader *reader, struct cursor *body)
{
    uint64_t bytes = cursor_varint(body);
    if (bytes > SAMPLING_MOST)
        body->bad = true;
    else
        reader->trace->sample_bytes = bytes;
}

static void parse_peak_of(struct reader *reader, struct cursor *body, int values)
{
    struct trace *trace = reader->trace;
    struct trace_peak peak = {.present = true, .after = trace->n_boundaries};
    uint32_t process = cursor_id(body, trace->n_processes);
    peak.time_us = cursor_varint(body);
    peak.python = cursor_varint(body);
    peak.native = cursor_varint(body);
    peak.blocks = cursor_varint(body);
    peak.rows = parse_rows(reader, body, &peak.count, values, &peak.spreads);
    if (!body->bad && !reader->no_memory && !reader->no_room)
        trace->peaks[process] = peak;
}

static void parse_peak(struct reader *reader, struct cursor *body)
{
    parse_peak_of(reader, body, ROWS_OF_PEAK);
}

static void parse_sampled_peak(struct reader *reader, struct cursor *body)
{
    parse_peak_of(reader, body, ROWS_OF_SAMPLED_PEAK);
}

static void parse_thin(struct reader *reader, struct cursor *body)
{
    struct trace *trace = reader->trace;
    int64_t ordinal = 0;
    for (size_t n = cursor_count(body, 1); n && !body->bad; n--) {
        int64_t step = cursor_svarint(body);
        bool there = step > -(int64_t)trace->n_boundaries && step < (int64_t)trace->n_boundaries;
        ordinal += there ? step : 0;
        if (!there || ordinal <= 0 || ordinal >= (int64_t)trace->n_boundaries ||
            trace->boundaries[ordinal].process)
            body->bad = true;
        else
            trace->boundaries[ordinal].dropped = true;
    }
}

/* Its events are read when somebody wants them (logs.c). */
static void parse_log(struct reader *reader, struct cursor *body)
{
    struct trace *trace = reader->trace;
    struct log_head head;
    log_get_head(body, &head);
    if (!head.process || head.process >= trace->n_processes)
        body->bad = true;
    if (body->bad || !EXTEND(reader, trace->logs, trace->n_logs, 1))
        return;
    trace->logs[trace->n_logs++] = (struct trace_log){.at = reader->at,
        .sequence = reader->sequence,
        .process = head.process,
        .after = trace->n_boundaries,
        .count = head.count,
        .bytes = reader->chunk,
        .first_us = head.first_us,
        .last_us = head.last_us};
    cursor_bytes(body, cursor_left(body));
}

static void parse_lines(struct reader *reader, struct cursor *body)
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

static void parse_process_end(struct reader *reader, struct cursor *body)
{
    uint32_t id = parse_process_id(reader->trace, body);
    struct trace_process process = reader->trace->processes[id];
    process.ended = true;
    process.end_us = cursor_varint(body);
    int64_t status = cursor_svarint(body);
    process.status =
        status >= MT_STATUS_EXEC && status <= INT_MAX ? (int)status : MT_STATUS_UNKNOWN;
    process.unknown_frees = cursor_varint(body);
    process.duplicate_allocations = cursor_varint(body);
    process.inherited_frees = cursor_varint(body);
    process.gap_events = cursor_varint(body);
    process.gap_bytes = cursor_varint(body);
    process.events = cursor_varint(body);
    process.max_rss = cursor_varint(body);
    process.was_paused = cursor_left(body) != 0;
    process.paused_frees = process.was_paused ? cursor_varint(body) : 0;
    if (!body->bad)
        reader->trace->processes[id] = process;
}

static void parse_region(struct trace *trace, struct cursor *body, struct trace_region *region)
{
    region->process = parse_process_id(trace, body);
    region->thread = cursor_id(body, trace->n_threads);
    region->name = cursor_id(body, trace->n_strings);
    region->start_us = cursor_varint(body);
    region->end_us = region->start_us + cursor_varint(body);
    region->live_before = cursor_varint(body);
    region->live_after = cursor_varint(body);
    region->peak = cursor_varint(body);
    if (region->end_us < region->start_us)
        body->bad = true;
}

static void parse_regions(struct reader *reader, struct cursor *body)
{
    struct trace *trace = reader->trace;
    size_t n = cursor_count(body, 8);
    if (!EXTEND(reader, trace->regions, trace->n_regions, n))
        return;
    while (n--) {
        struct trace_region region;
        parse_region(trace, body, &region);
        if (body->bad)
            return;
        trace->regions[trace->n_regions++] = region;
    }
}

static void parse_untouched_rows(
    struct reader *reader, struct cursor *body, struct trace_look *look)
{
    struct trace *trace = reader->trace;
    uint32_t site = 0;
    look->first = trace->n_untouched;
    look->count = cursor_count(body, 2);
    if (!EXTEND(reader, trace->untouched, trace->n_untouched, look->count))
        return;
    for (size_t i = 0; i < look->count && !body->bad; i++) {
        site += cursor_id(body, trace->n_sites - site);
        struct trace_untouched row = {.site = site, .bytes = cursor_varint(body)};
        body->bad |= !site || row.bytes > INT64_MAX;
        if (!body->bad)
            trace->untouched[trace->n_untouched++] = row;
    }
}

static void parse_untouched(struct reader *reader, struct cursor *body)
{
    struct trace *trace = reader->trace;
    size_t n = cursor_count(body, 4);
    if (!EXTEND(reader, trace->looks, trace->n_looks, n))
        return;
    while (n--) {
        struct trace_look look = {.process = parse_process_id(trace, body)};
        look.time_us = cursor_varint(body);
        look.known = cursor_id(body, 2) != 0;
        parse_untouched_rows(reader, body, &look);
        if (body->bad || reader->no_room || reader->no_memory)
            return;
        trace->looks[trace->n_looks++] = look;
    }
}

static void parse_counts(struct reader *reader, struct cursor *body, struct trace_counts *counts)
{
    counts->temporary = cursor_varint(body);
    counts->n = cursor_count(body, 1);
    if (counts->n > 65)
        body->bad = true;
    counts->counts = body->bad ? NULL : allocate(reader, counts->n * sizeof *counts->counts);
    for (size_t i = 0; i < counts->n && counts->counts; i++)
        counts->counts[i] = cursor_varint(body);
}

static void parse_sizes(struct reader *reader, struct cursor *body)
{
    uint32_t process = parse_process_id(reader->trace, body);
    size_t n = cursor_count(body, 2);
    struct trace_sizes *sizes = allocate(reader, sizeof *sizes);
    if (n > MT_DOMAINS)
        body->bad = true;
    for (size_t i = 0; i < n && sizes && !body->bad; i++)
        parse_counts(reader, body, &sizes->domains[i]);
    if (!body->bad)
        reader->trace->sizes[process] = sizes;
}

static parse_function *const parsers[] = {
    [MT_CHUNK_META] = parse_meta,
    [MT_CHUNK_STRINGS] = parse_strings,
    [MT_CHUNK_FUNCTIONS] = parse_functions,
    [MT_CHUNK_NODES] = parse_nodes,
    [MT_CHUNK_PROCESSES] = parse_processes,
    [MT_CHUNK_THREADS] = parse_threads,
    [MT_CHUNK_SITES] = parse_sites,
    [MT_CHUNK_TIMELINE] = parse_timeline,
    [MT_CHUNK_BOUNDARY] = parse_boundary,
    [MT_CHUNK_PEAK] = parse_peak,
    [MT_CHUNK_LINES] = parse_lines,
    [MT_CHUNK_PROCESS_END] = parse_process_end,
    [MT_CHUNK_END] = parse_end,
    [MT_CHUNK_REGIONS] = parse_regions,
    [MT_CHUNK_THIN] = parse_thin,
    [MT_CHUNK_SIZES] = parse_sizes,
    [MT_CHUNK_MODULES] = parse_modules,
    [MT_CHUNK_NATIVES] = parse_natives,
    [MT_CHUNK_SYMBOLS] = parse_symbols,
    [MT_CHUNK_SAMPLING] = parse_sampling,
    [MT_CHUNK_LOG] = parse_log,
    [MT_CHUNK_SAMPLED_BOUNDARY] = parse_sampled_boundary,
    [MT_CHUNK_SAMPLED_PEAK] = parse_sampled_peak,
    [MT_CHUNK_ANCHORS] = parse_anchors,
    [MT_CHUNK_THREAD_NAMES] = parse_thread_names,
    [MT_CHUNK_PYTHONS] = parse_pythons,
    [MT_CHUNK_SHARES] = parse_shares,
    [MT_CHUNK_INLINED] = parse_inlined,
    [MT_CHUNK_UNTOUCHED] = parse_untouched,
    [MT_CHUNK_ALLOCATORS] = parse_allocators,
    [MT_CHUNK_FILES] = parse_files,
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
