/*
 * pprof's profile.proto, as the heap profiles of Go have it: objects and bytes, in
 * use and in all.  Runs in the tools.  The message is a dozen of the simplest
 * fields, written by hand: varints and length-delimited bytes.
 */
#include "render/export.h"

#include <stdlib.h>
#include <string.h>

#include "render/escape.h"
#include "render/progress.h"
#include "render/top.h"
#include "trace/meta.h"
#include "trace/writer.h"

enum { VARINT = 0, BYTES = 2 };

/* Fields of the messages of profile.proto. */
enum profile {
    PROFILE_SAMPLE_TYPE = 1,
    PROFILE_SAMPLE = 2,
    PROFILE_LOCATION = 4,
    PROFILE_FUNCTION = 5,
    PROFILE_STRINGS = 6,
    PROFILE_TIME_NANOS = 9,

    PROFILE_DEFAULT_TYPE = 14
};
enum value_type { VALUE_TYPE = 1, VALUE_UNIT = 2 };
enum sample { SAMPLE_LOCATIONS = 1, SAMPLE_VALUES = 2, SAMPLE_LABEL = 3 };
enum label { LABEL_KEY = 1, LABEL_STRING = 2, LABEL_NUMBER = 3 };
enum location { LOCATION_ID = 1, LOCATION_LINE = 4 };
enum line { LINE_FUNCTION = 1, LINE_NUMBER = 2 };
enum function { FUNCTION_ID = 1, FUNCTION_NAME = 2, FUNCTION_FILE = 4, FUNCTION_FIRST_LINE = 5 };

/* Strings that are not the trace's, behind its own in the table. */
static const char *const words[] = {"alloc_objects", "count", "alloc_space", "bytes",
    "inuse_objects", "inuse_space", "domain", "thread", "pid", TOP_NO_FRAME};
enum {
    W_ALLOC_OBJECTS,
    W_COUNT,
    W_ALLOC_SPACE,
    W_BYTES,
    W_INUSE_OBJECTS,
    W_INUSE_SPACE,
    W_DOMAIN,
    W_THREAD,
    W_PID,
    W_NO_FRAME,
    WORDS
};

struct pprof {
    const struct report *report;
    const struct trace *trace;
    struct buffer out, message, part;
    bool *functions; /* by id: used */
    bool *nodes;
};

static uint64_t word(const struct pprof *pprof, int which)
{
    return pprof->trace->n_strings + (uint64_t)which;
}

static void put_number(struct buffer *buffer, int field, uint64_t value)
{
    if (!value)
        return; /* the default */
    buffer_varint(buffer, (uint64_t)field << 3 | VARINT);
    buffer_varint(buffer, value);
}

static void put_bytes(struct buffer *buffer, int field, const void *bytes, size_t size)
{
    buffer_varint(buffer, (uint64_t)field << 3 | BYTES);
    buffer_varint(buffer, size);
    buffer_append(buffer, bytes, size);
}

/* Moves a message that is complete into another one. */
static void put_message(struct buffer *buffer, int field, struct buffer *message)
{
    put_bytes(buffer, field, message->data, message->size);
    message->size = 0;
}

/* Strings of a protocol buffer are UTF-8: what is not becomes a question mark. */
static void put_string(struct pprof *pprof, const char *text, size_t size)
{
    char *copy = malloc(size + 1);
    if (!copy)
        abort();
    for (size_t at = 0; at < size;) {
        uint32_t character;
        size_t length = utf8_decode(text + at, size - at, &character);
        memcpy(copy + at, length ? text + at : "?", length ? length : 1);
        at += length ? length : 1;
    }
    put_bytes(&pprof->out, PROFILE_STRINGS, copy, size);
    free(copy);
}

/* Ids of the trace are those of the profile; its file names are as reports print them. */
static void put_strings(struct pprof *pprof)
{
    const struct trace *trace = pprof->trace;
    for (size_t i = 0; i < trace->n_strings; i++) {
        const char *text = report_path(pprof->report, trace->strings[i].data);
        put_string(pprof, i ? text : "", i ? strlen(text) : 0);
    }
    for (int i = 0; i < WORDS; i++)
        put_string(pprof, words[i], strlen(words[i]));
    for (int i = 0; i < MT_DOMAINS; i++)
        put_string(pprof, domain_names[i], strlen(domain_names[i]));
}

static void put_type(struct pprof *pprof, int type, int unit)
{
    put_number(&pprof->message, VALUE_TYPE, word(pprof, type));
    put_number(&pprof->message, VALUE_UNIT, word(pprof, unit));
    put_message(&pprof->out, PROFILE_SAMPLE_TYPE, &pprof->message);
}

static void put_label(struct pprof *pprof, int key, uint64_t string, uint64_t number)
{
    put_number(&pprof->part, LABEL_KEY, word(pprof, key));
    put_number(&pprof->part, LABEL_STRING, string);
    put_number(&pprof->part, LABEL_NUMBER, number);
    put_message(&pprof->message, SAMPLE_LABEL, &pprof->part);
}

static void put_locations(struct pprof *pprof, uint32_t leaf)
{
    const struct trace *trace = pprof->trace;
    for (uint32_t node = leaf; node; node = trace->nodes[node].parent) {
        buffer_varint(&pprof->part, node);
        pprof->nodes[node] = true;
        pprof->functions[trace->nodes[node].function] = true;
    }
    if (!leaf) {
        buffer_varint(&pprof->part, trace->n_nodes);
        pprof->functions[0] = true;
    }
    put_message(&pprof->message, SAMPLE_LOCATIONS, &pprof->part);
}

static void put_sample(struct pprof *pprof, const struct view *view, uint32_t site)
{
    const struct trace *trace = pprof->trace;
    const struct trace_site *at = &trace->sites[site];
    struct view_amount amount = view_amount_of_site(view, site);
    if (view_amount_is_zero(&amount))
        return;
    int64_t values[] = {amount.allocations, amount.allocated, amount.count, amount.size};
    put_locations(pprof, at->stack);
    for (size_t i = 0; i < 4; i++)
        buffer_varint(&pprof->part, (uint64_t)values[i]);
    put_message(&pprof->message, SAMPLE_VALUES, &pprof->part);
    put_label(pprof, W_DOMAIN, word(pprof, WORDS + at->domain), 0);
    if (at->thread && trace->threads[at->thread].name)
        put_label(pprof, W_THREAD, trace->threads[at->thread].name, 0);
    put_label(pprof, W_PID, 0, (uint64_t)trace->processes[at->process].pid);
    put_message(&pprof->out, PROFILE_SAMPLE, &pprof->message);
}

static void put_location(struct pprof *pprof, uint64_t id, uint64_t function, uint32_t line)
{
    put_number(&pprof->part, LINE_FUNCTION, function);
    put_number(&pprof->part, LINE_NUMBER, line);
    put_number(&pprof->message, LOCATION_ID, id);
    put_message(&pprof->message, LOCATION_LINE, &pprof->part);
    put_message(&pprof->out, PROFILE_LOCATION, &pprof->message);
}

static void put_function(struct pprof *pprof, uint64_t id, const struct trace_function *function)
{
    put_number(&pprof->message, FUNCTION_ID, id);
    put_number(&pprof->message, FUNCTION_NAME, function->name);
    put_number(&pprof->message, FUNCTION_FILE, function->file);
    put_number(&pprof->message, FUNCTION_FIRST_LINE, function->first_line);
    put_message(&pprof->out, PROFILE_FUNCTION, &pprof->message);
}

/* What samples have named: ids are those of the trace; "no frame" has the first that is free. */
static void put_places(struct pprof *pprof)
{
    const struct trace *trace = pprof->trace;
    for (uint32_t i = 1; i < trace->n_nodes; i++)
        if (pprof->nodes[i])
            put_location(pprof, i, trace->nodes[i].function, trace->nodes[i].line);
    for (uint32_t i = 1; i < trace->n_functions; i++)
        if (pprof->functions[i])
            put_function(pprof, i, &trace->functions[i]);
    if (!pprof->functions[0])
        return;
    struct trace_function none = {.name = (uint32_t)word(pprof, W_NO_FRAME)};
    put_location(pprof, trace->n_nodes, trace->n_functions, 0);
    put_function(pprof, trace->n_functions, &none);
}

void export_pprof(FILE *file, const struct report *report, const struct view *view)
{
    const struct trace *trace = view->trace;
    struct pprof pprof = {.report = report, .trace = trace};
    struct arena arena = {0};
    struct meta meta;
    meta_read(&meta, trace);
    pprof.nodes = arena_need(&arena, trace->n_nodes);
    pprof.functions = arena_need(&arena, trace->n_functions);
    put_type(&pprof, W_ALLOC_OBJECTS, W_COUNT);
    put_type(&pprof, W_ALLOC_SPACE, W_BYTES);
    put_type(&pprof, W_INUSE_OBJECTS, W_COUNT);
    put_type(&pprof, W_INUSE_SPACE, W_BYTES);
    for (uint32_t i = 1; i < trace->n_sites; i++) {
        progress_at(i, trace->n_sites);
        if (view->sites[i])
            put_sample(&pprof, view, i);
    }
    put_places(&pprof);
    put_strings(&pprof);
    double seconds = meta.start + (double)view->state.time_us / 1e6;
    put_number(&pprof.out, PROFILE_TIME_NANOS, 
        meta.start > 0 ? (uint64_t)format_whole(seconds * 1e9) : 0);
    put_number(&pprof.out, PROFILE_DEFAULT_TYPE, word(&pprof, W_INUSE_SPACE));
    fwrite(pprof.out.data, 1, pprof.out.size, file);
    buffer_free(&pprof.out);
    buffer_free(&pprof.message);
    buffer_free(&pprof.part);
    arena_free(&arena);
}
