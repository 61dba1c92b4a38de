/*
 * A pickled tracemalloc.Snapshot: what Snapshot.load reads.  Runs in the tools.
 * A snapshot has one tuple for each block, (domain, size, frames, depth), before
 * Python 3.9 without the depth; here those of one stack are one object, named again
 * and again, of the average size.  Native memory has the domain 1, Python's 0.
 */
#include "render/export.h"

#include <stdlib.h>
#include <string.h>

#include "render/progress.h"
#include "render/surrogates.h"
#include "trace/processes.h"
#include "trace/writer.h"

/* Opcodes of protocol 2, which CPython reads since 2.3. */
enum opcode {
    POP = '0',
    MARK = '(',
    STOP = '.',
    EMPTY_TUPLE = ')',
    EMPTY_LIST = ']',
    EMPTY_DICT = '}',
    APPENDS = 'e',
    SETITEMS = 'u',
    BUILD = 'b',
    GLOBAL = 'c',
    TUPLE = 't',
    BININT = 'J',
    BINUNICODE = 'X',
    LONG_BINPUT = 'r',
    LONG_BINGET = 'j',
    PROTO = 0x80,
    NEWOBJ = 0x81,
    TUPLE2 = 0x86,
    LONG1 = 0x8a
};

enum {
    BLOCKS_IN_A_LIST = 1000,
    ARGUMENT = 5,      /* bytes of an opcode that has one */
    AT_ONCE = 1 << 18, /* that are written in one go */
};

struct pickle {
    const struct report *report;
    const struct trace *trace;
    FILE *file;
    struct buffer out;
    uint32_t *frames;  /* by node: what its frame is remembered as, 0 if it is not */
    uint32_t *strings; /* by string: the same */
    uint32_t memo;     /* used last */
    int64_t listed;    /* blocks in the list that is open */
    bool has_depth;    /* since 3.9 */
};

static void put(struct pickle *pickle, int byte)
{
    uint8_t one = (uint8_t)byte;
    buffer_append(&pickle->out, &one, 1);
}

static void put_little(struct pickle *pickle, uint64_t value, size_t size)
{
    uint8_t bytes[8];
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(value >> (8 * i));
    buffer_append(&pickle->out, bytes, size);
}

/* An opcode and its argument. */
static uint8_t *encode(uint8_t *at, enum opcode opcode, uint32_t value)
{
    *at++ = (uint8_t)opcode;
    for (int shift = 0; shift < 32; shift += 8)
        *at++ = (uint8_t)(value >> shift);
    return at;
}

static void put_with(struct pickle *pickle, enum opcode opcode, uint32_t value)
{
    uint8_t *at = buffer_room(&pickle->out, ARGUMENT);
    pickle->out.size += (size_t)(encode(at, opcode, value) - at);
}

static void put_int(struct pickle *pickle, int64_t value)
{
    if (value >= INT32_MIN && value <= INT32_MAX) {
        put_with(pickle, BININT, (uint32_t)value);
        return;
    }
    put(pickle, LONG1);
    put(pickle, 8);
    put_little(pickle, (uint64_t)value, 8);
}

static void put_text(struct pickle *pickle, const char *text, size_t size)
{
    struct buffer utf8 = {0};
    buffer_append_surrogates(&utf8, text, size);
    put_with(pickle, BINUNICODE, (uint32_t)utf8.size);
    buffer_append(&pickle->out, utf8.data, utf8.size);
    buffer_free(&utf8);
}

static void put_global(struct pickle *pickle, const char *name)
{
    put(pickle, GLOBAL);
    buffer_append(&pickle->out, name, strlen(name));
}

static uint32_t remember(struct pickle *pickle)
{
    put_with(pickle, LONG_BINPUT, ++pickle->memo);
    return pickle->memo;
}

static void recall(struct pickle *pickle, uint32_t memo)
{
    put_with(pickle, LONG_BINGET, memo);
}

/* (filename, lineno), once for each node. */
static void put_frame(struct pickle *pickle, uint32_t node)
{
    const struct trace_node *at = &pickle->trace->nodes[node];
    uint32_t file = pickle->trace->functions[at->function].file;
    if (pickle->frames[node]) {
        recall(pickle, pickle->frames[node]);
        return;
    }
    if (node && pickle->strings[file])
        recall(pickle, pickle->strings[file]);
    else {
        const char *name = node ? report_file(pickle->report, node) : "<unknown>";
        put_text(pickle, name, strlen(name));
        if (node)
            pickle->strings[file] = remember(pickle);
    }
    put_int(pickle, at->line);
    put(pickle, TUPLE2);
    pickle->frames[node] = remember(pickle);
}

/* Most recent first, as the raw traces of tracemalloc have them. */
static void put_frames(struct pickle *pickle, uint32_t leaf)
{
    put(pickle, MARK);
    put_frame(pickle, leaf);
    for (uint32_t node = pickle->trace->nodes[leaf].parent; leaf && node;
         node = pickle->trace->nodes[node].parent)
        put_frame(pickle, node);
    put(pickle, TUPLE);
}

static void flush(struct pickle *pickle)
{
    fwrite(pickle->out.data, 1, pickle->out.size, pickle->file);
    pickle->out.size = 0;
}

/* Lists are appended to in pieces: an unpickler keeps a piece on its stack. */
static void count_blocks(struct pickle *pickle, int64_t count)
{
    pickle->listed += count;
    if (pickle->listed < BLOCKS_IN_A_LIST)
        return;
    pickle->listed = 0;
    put(pickle, APPENDS);
    put(pickle, MARK);
    if (pickle->out.size >= AT_ONCE)
        flush(pickle);
}

/* The object again and again: most of a snapshot is made of this. */
static void recall_often(struct pickle *pickle, uint32_t memo, int64_t count)
{
    while (count) {
        int64_t room = BLOCKS_IN_A_LIST - pickle->listed, n = count < room ? count : room;
        uint8_t *at = buffer_room(&pickle->out, (size_t)n * ARGUMENT);
        for (int64_t i = 0; i < n; i++)
            at = encode(at, LONG_BINGET, memo);
        pickle->out.size += (size_t)n * ARGUMENT;
        count_blocks(pickle, n);
        count -= n;
    }
}

struct blocks {
    int domain;
    uint32_t frames; /* as they are remembered */
    uint32_t depth;
};

static void put_blocks(
    struct pickle *pickle, const struct blocks *blocks, int64_t size, int64_t count)
{
    if (count <= 0)
        return;
    put(pickle, MARK);
    put_int(pickle, blocks->domain);
    put_int(pickle, size);
    recall(pickle, blocks->frames);
    if (pickle->has_depth)
        put_int(pickle, blocks->depth);
    put(pickle, TUPLE);
    uint32_t block = remember(pickle);
    count_blocks(pickle, 1);
    recall_often(pickle, block, count - 1);
}

/* Frames of a stack; one that has none is a frame that is not known. */
static uint32_t depth_of(const struct trace *trace, uint32_t leaf)
{
    uint32_t depth = 0;
    for (uint32_t node = leaf; node; node = trace->nodes[node].parent)
        depth++;
    return depth ? depth : 1;
}

/* The blocks of a site, whose sizes add up to what it holds. */
static void put_site(struct pickle *pickle, const struct view *view, uint32_t site)
{
    const struct trace_site *at = &pickle->trace->sites[site];
    struct view_amount amount = view_amount_of_site(view, site);
    if (amount.count <= 0 || amount.size < 0)
        return;
    int64_t larger = amount.size % amount.count, size = amount.size / amount.count;
    put_frames(pickle, at->node);
    struct blocks blocks = {
        !domain_is_python(at->domain), remember(pickle), depth_of(pickle->trace, at->node)};
    put(pickle, POP); /* it was put there only to be remembered */
    put_blocks(pickle, &blocks, size + 1, larger);
    put_blocks(pickle, &blocks, size, amount.count - larger);
}

static uint32_t deepest(const struct view *view)
{
    uint32_t most = 1;
    for (uint32_t i = 1; i < view->trace->n_sites; i++) {
        uint32_t depth = depth_of(view->trace, view->sites[i] ? view->trace->sites[i].node : 0);
        most = depth > most ? depth : most;
    }
    return most;
}

/* What the program ran is what will load it. */
static bool is_before_3_9(const struct view *view)
{
    uint32_t process = process_of_interest(view->trace, view->processes);
    unsigned minor = 9;
    sscanf(view->trace->strings[view->trace->processes[process].python].data, "3.%u", &minor);
    return minor < 9;
}

void export_tracemalloc(FILE *file, const struct report *report, const struct view *view)
{
    struct pickle pickle = {.report = report, .trace = view->trace, .file = file};
    pickle.has_depth = !is_before_3_9(view);
    struct arena arena = {0};
    pickle.frames = arena_need(&arena, view->trace->n_nodes * sizeof *pickle.frames);
    pickle.strings = arena_need(&arena, view->trace->n_strings * sizeof *pickle.strings);
    put(&pickle, PROTO);
    put(&pickle, 2);
    put_global(&pickle, "tracemalloc\nSnapshot\n");
    put(&pickle, EMPTY_TUPLE);
    put(&pickle, NEWOBJ);
    put(&pickle, EMPTY_DICT);
    put(&pickle, MARK);
    put_text(&pickle, "traceback_limit", 15);
    put_int(&pickle, deepest(view));
    put_text(&pickle, "traces", 6);
    put_global(&pickle, "tracemalloc\n_Traces\n");
    put(&pickle, EMPTY_TUPLE);
    put(&pickle, NEWOBJ);
    put(&pickle, EMPTY_DICT);
    put(&pickle, MARK);
    put_text(&pickle, "_traces", 7);
    put(&pickle, EMPTY_LIST);
    put(&pickle, MARK);
    for (uint32_t i = 1; i < view->trace->n_sites; i++) {
        progress_at(i, view->trace->n_sites);
        if (view->sites[i])
            put_site(&pickle, view, i);
    }
    put(&pickle, APPENDS);
    put(&pickle, SETITEMS);
    put(&pickle, BUILD);
    put(&pickle, SETITEMS);
    put(&pickle, BUILD);
    put(&pickle, STOP);
    flush(&pickle);
    buffer_free(&pickle.out);
    arena_free(&arena);
}
