/*
 * From mprof's lines to chunks (import_mprof.h).  Runs in the tools.  Process 1 is
 * the program, 2 and so on its children in the order of their first sample.
 */
#include "render/import_mprof.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "memtrace/format.h"
#include "render/json.h"

struct sample {
    uint32_t process;
    double mib, time; /* since 1970 */
};
struct function {
    uint32_t name;
    double from, to;
};

struct dat {
    struct import *import;
    struct sample *samples;
    struct function *functions;
    char **names; /* of the functions, by number */
    char **children;
    char *command;
    size_t n_samples, samples_capacity, n_functions, functions_capacity, n_names, names_capacity;
    size_t n_children, children_capacity;
    double start, end;
    bool has_time;
};

static void *room(void *array, size_t *capacity, size_t count, size_t size)
{
    if (count < *capacity)
        return array;
    *capacity = *capacity ? *capacity * 2 : 256;
    array = reallocarray(array, *capacity, size);
    if (!array)
        abort();
    return array;
}

/* The index of a word in a list, where it is put if it is new. */
static uint32_t number_of(char ***words, size_t *count, size_t *capacity, const char *word)
{
    for (size_t i = *count; i-- > 0;)
        if (strcmp((*words)[i], word) == 0)
            return (uint32_t)i;
    *words = room(*words, capacity, *count, sizeof **words);
    (*words)[*count] = strdup(word);
    if (!(*words)[*count])
        abort();
    return (uint32_t)(*count)++;
}

static bool is_time(double time)
{
    return isfinite(time) && time >= 0 && time <= (double)MT_TIME_MOST / 1e6;
}

static void note_time(struct dat *dat, double time)
{
    dat->start = !dat->has_time || time < dat->start ? time : dat->start;
    dat->end = time > dat->end ? time : dat->end;
    dat->has_time = true;
}

static bool add_sample(struct dat *dat, const char *child, double mib, double time)
{
    if (!is_time(time) || !isfinite(mib) || mib < 0 || mib > 1e9)
        return false;
    uint32_t process = 1;
    if (child)
        process = 2 + number_of(&dat->children, &dat->n_children, &dat->children_capacity, child);
    dat->samples = room(dat->samples, &dat->samples_capacity, dat->n_samples, sizeof *dat->samples);
    dat->samples[dat->n_samples++] = (struct sample){process, mib, time};
    note_time(dat, time);
    return true;
}

static bool add_function(struct dat *dat, const char *name, double from, double to)
{
    if (!is_time(from) || !is_time(to) || to < from)
        return false;
    uint32_t number = number_of(&dat->names, &dat->n_names, &dat->names_capacity, name);
    dat->functions =
        room(dat->functions, &dat->functions_capacity, dat->n_functions, sizeof *dat->functions);
    dat->functions[dat->n_functions++] = (struct function){number, from, to};
    note_time(dat, from);
    note_time(dat, to);
    return true;
}

/* False if the line is not what its first word says; other words are let pass. */
static bool take_line(struct dat *dat, char *line)
{
    char name[1024];
    double a, b, c, d;
    if (strncmp(line, "CMDLINE ", 8) == 0) {
        free(dat->command);
        dat->command = strdup(line + 8);
        return dat->command != NULL;
    }
    if (strncmp(line, "MEM ", 4) == 0)
        return sscanf(line + 4, "%lf %lf", &a, &b) == 2 && add_sample(dat, NULL, a, b);
    if (strncmp(line, "CHLD ", 5) == 0)
        return sscanf(line + 5, "%1023s %lf %lf", name, &a, &b) == 3 && add_sample(dat, name, a, b);
    if (strncmp(line, "FUNC ", 5) == 0)
        return sscanf(line + 5, "%1023s %lf %lf %lf %lf", name, &a, &b, &c, &d) == 5 &&
               add_function(dat, name, b, d);
    return true;
}

static enum import_error read_lines(struct dat *dat, FILE *file)
{
    char *line = NULL;
    size_t capacity = 0;
    bool good = true;
    while (good && getline(&line, &capacity, file) >= 0) {
        dat->import->line++;
        line[strcspn(line, "\r\n")] = 0;
        good = take_line(dat, line);
    }
    free(line);
    if (!good)
        return IMPORT_FOREIGN;
    return dat->n_samples ? IMPORT_OK : IMPORT_EMPTY;
}

/* ---- chunks ---- */

static void put_string(struct buffer *body, const char *text, size_t size)
{
    buffer_varint(body, size);
    buffer_append(body, text, size);
}

static void chunk(struct writer *writer, int kind, struct buffer *body)
{
    writer_chunk(writer, kind, body);
    body->size = 0;
}

static uint64_t microseconds(const struct dat *dat, double time)
{
    return (uint64_t)llround((time - dat->start) * 1e6);
}

/* The words of the command with NUL between them, in place; their size. */
static size_t split(char *command)
{
    size_t size = strlen(command);
    for (char *at = command; (at = strchr(at, ' ')); at++)
        *at = 0;
    return size;
}

static void put_meta(const struct dat *dat, size_t command_size, struct writer *writer)
{
    struct buffer body = {0};
    char *text = NULL;
    size_t size;
    struct json json = {.file = open_memstream(&text, &size)};
    if (!json.file)
        abort();
    json_open(&json, NULL, '{');
    json_name(&json, "memtrace", MEMTRACE_VERSION);
    json_name(&json, "imported", "mprof");
    json_open(&json, "command", '[');
    for (size_t at = 0; at < command_size; at += strlen(dat->command + at) + 1)
        json_name(&json, NULL, dat->command + at);
    json_close(&json, ']');
    json_timestamp(&json, "start", dat->start);
    json_close(&json, '}');
    if (fclose(json.file) != 0)
        abort();
    buffer_append(&body, text, size);
    chunk(writer, MT_CHUNK_META, &body);
    free(text);
    buffer_free(&body);
}

/* Strings: 1 the command, then the functions, then the children's names. */
static void put_definitions(const struct dat *dat, size_t command_size, struct writer *writer)
{
    struct buffer body = {0};
    buffer_varint(&body, 1 + dat->n_names + dat->n_children);
    put_string(&body, dat->command, command_size);
    for (size_t i = 0; i < dat->n_names; i++)
        put_string(&body, dat->names[i], strlen(dat->names[i]));
    for (size_t i = 0; i < dat->n_children; i++) {
        char name[1100];
        int size = snprintf(name, sizeof name, "child %s", dat->children[i]);
        put_string(&body, name, (size_t)size);
    }
    chunk(writer, MT_CHUNK_STRINGS, &body);
    buffer_varint(&body, 1 + dat->n_children);
    for (size_t i = 0; i <= dat->n_children; i++) {
        /* pid (there is none in the file: a number), parent, start, origin, path, command, Python,
           traced */
        uint64_t fields[] = {
            i + 1, i > 0, 0, MT_ORIGIN_EXEC, 0, i ? 1 + dat->n_names + i : 1, 0, 0};
        for (size_t k = 0; k < sizeof fields / sizeof *fields; k++)
            buffer_varint(&body, fields[k]);
    }
    chunk(writer, MT_CHUNK_PROCESSES, &body);
    buffer_free(&body);
}

static int by_time(const void *a, const void *b)
{
    const struct sample *left = a, *right = b;
    if (left->process != right->process)
        return left->process < right->process ? -1 : 1;
    return (left->time > right->time) - (left->time < right->time);
}

static uint64_t bytes_of(const struct sample *sample)
{
    return (uint64_t)llround(sample->mib * 1048576);
}

/* A timeline for each process, and its end at its last sample. */
static void put_timeline(
    const struct dat *dat, const struct sample *samples, size_t count, struct writer *writer)
{
    struct buffer body = {0};
    uint64_t time = 0, rss = 0, most = 0;
    buffer_varint(&body, samples->process);
    buffer_varint(&body, count);
    for (size_t i = 0; i < count; i++) {
        uint64_t now = microseconds(dat, samples[i].time), size = bytes_of(&samples[i]);
        buffer_svarint(&body, (int64_t)(now - time));
        buffer_svarint(&body, (int64_t)(size - rss));
        for (int field = 0; field < 5; field++) /* what is live is not known */
            buffer_svarint(&body, 0);
        time = now;
        rss = size;
        most = size > most ? size : most;
    }
    chunk(writer, MT_CHUNK_TIMELINE, &body);
    buffer_varint(&body, samples->process);
    buffer_varint(&body, time);
    buffer_svarint(&body, MT_STATUS_UNKNOWN);
    for (int field = 0; field < 6; field++)
        buffer_varint(&body, 0);
    buffer_varint(&body, most);
    chunk(writer, MT_CHUNK_PROCESS_END, &body);
    buffer_free(&body);
}

static void put_timelines(const struct dat *dat, struct writer *writer)
{
    qsort(dat->samples, dat->n_samples, sizeof *dat->samples, by_time);
    for (size_t from = 0, to; from < dat->n_samples; from = to) {
        to = from;
        while (to < dat->n_samples && dat->samples[to].process == dat->samples[from].process)
            to++;
        put_timeline(dat, dat->samples + from, to - from, writer);
    }
}

static int by_end(const void *a, const void *b)
{
    const struct function *left = a, *right = b;
    return (left->to > right->to) - (left->to < right->to);
}

static void put_regions(const struct dat *dat, struct writer *writer)
{
    struct buffer body = {0};
    qsort(dat->functions, dat->n_functions, sizeof *dat->functions, by_end);
    buffer_varint(&body, dat->n_functions);
    for (size_t i = 0; i < dat->n_functions; i++) {
        const struct function *function = &dat->functions[i];
        uint64_t from = microseconds(dat, function->from);
        uint64_t fields[] = {
            1, 0, 2 + function->name, from, microseconds(dat, function->to) - from};
        for (size_t k = 0; k < sizeof fields / sizeof *fields; k++)
            buffer_varint(&body, fields[k]);
        for (int field = 0; field < 3; field++)
            buffer_varint(&body, 0);
    }
    chunk(writer, MT_CHUNK_REGIONS, &body);
    buffer_free(&body);
}

static void put_end(const struct dat *dat, struct writer *writer)
{
    struct buffer body = {0};
    char text[64];
    int size = snprintf(text, sizeof text, "{\"seconds\": %.6f}", dat->end - dat->start);
    buffer_append(&body, text, (size_t)size);
    chunk(writer, MT_CHUNK_END, &body);
    buffer_free(&body);
}

static void write_trace(struct dat *dat, struct writer *writer)
{
    size_t size = split(dat->command);
    put_meta(dat, size, writer);
    put_definitions(dat, size, writer);
    put_timelines(dat, writer);
    if (dat->n_functions)
        put_regions(dat, writer);
    put_end(dat, writer);
}

static void free_words(char **words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(words[i]);
    free(words);
}

enum import_error import_mprof(struct import *import, FILE *file, struct writer *writer)
{
    *import = (struct import){0};
    struct dat dat = {.import = import};
    enum import_error error = read_lines(&dat, file);
    if (!dat.command && !(dat.command = strdup("mprof")))
        abort();
    if (error == IMPORT_OK)
        write_trace(&dat, writer);
    import->samples = dat.n_samples;
    import->functions = dat.n_functions;
    import->children = dat.n_children;
    free_words(dat.names, dat.n_names);
    free_words(dat.children, dat.n_children);
    free(dat.samples);
    free(dat.functions);
    free(dat.command);
    return error;
}
