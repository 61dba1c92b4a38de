/*
 * Builds the model of a trace out of its chunks.  Runs in every report.  A chunk
 * that refers to what is not defined, or that does not end where its records do,
 * counts as damage: what came before it is the trace.
 */
#include "trace/model.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "trace/arena.h"
#include "trace/bodies.h"
#include "trace/chunk.h"

/* What the model of a file may take: enough for any honest one. */
#define ROOM_BASE (256ull << 20)
#define ROOM_RATIO 512ull

static void parse_file(struct reader *reader, struct chunk_file *file)
{
    enum chunk_status status = CHUNK_GOOD;
    struct cursor body;
    int kind;
    while (!reader->no_memory && (status = chunk_next(file, &kind, &body)) == CHUNK_GOOD) {
        reader->room += ROOM_RATIO * file->chunk;
        reader->at = file->at;
        reader->sequence = file->sequence;
        reader->chunk = file->chunk;
        if (!bodies_parse(reader, kind, &body)) {
            status = CHUNK_DAMAGED;
            break;
        }
        chunk_accept(file);
    }
    if (status == CHUNK_MEMORY)
        reader->no_memory = true;
    reader->trace->damaged = status == CHUNK_DAMAGED;
}

static int compare_sources(const void *a, const void *b)
{
    const struct trace_source *left = a, *right = b;
    if (left->file != right->file)
        return left->file < right->file ? -1 : 1;
    if (left->line != right->line)
        return left->line < right->line ? -1 : 1;
    return (left->text > right->text) - (left->text < right->text);
}

enum trace_error trace_read(struct trace *trace, const char *path)
{
    struct chunk_file file;
    struct reader reader = {.trace = trace};
    memset(trace, 0, sizeof *trace);
    enum trace_error error = chunk_open(&file, path);
    if (error == TRACE_OK) {
        reader.room = ROOM_BASE;
        trace->path = strdup(path);
        bodies_begin(&reader);
        if (!reader.no_memory)
            parse_file(&reader, &file);
        if (!reader.no_memory)
            bodies_settle(&reader);
        bodies_end(&reader);
        if (trace->n_sources)
            qsort(trace->sources, trace->n_sources, sizeof *trace->sources, compare_sources);
        trace->good_bytes = file.at;
        trace->file_bytes = file.size;
        if (reader.no_memory || !trace->path)
            error = TRACE_ERROR_MEMORY;
        else if (file.sequence == 0)
            error = TRACE_ERROR_NOTHING;
        if (file.failed)
            error = TRACE_ERROR_OPEN;
    }
    int saved = file.failed ? file.failed : errno;
    chunk_close(&file);
    if (error != TRACE_OK)
        trace_free(trace);
    errno = saved;
    return error;
}

void trace_free(struct trace *trace)
{
    for (size_t i = 0; i < trace->n_processes; i++) {
        free(trace->timelines[i].samples);
        free(trace->timelines[i].shares);
    }
    free(trace->path);
    free(trace->strings);
    free(trace->functions);
    free(trace->nodes);
    free(trace->processes);
    free(trace->timelines);
    free(trace->peaks);
    free(trace->sizes);
    free(trace->threads);
    free(trace->modules);
    free(trace->natives);
    free(trace->inlined);
    free(trace->sites);
    free(trace->boundaries);
    free(trace->sources);
    free(trace->logs);
    free(trace->looks);
    free(trace->untouched);
    free(trace->retained_before);
    free(trace->regions);
    if (trace->arena)
        arena_free(trace->arena);
    free(trace->arena);
    memset(trace, 0, sizeof *trace);
}

const char *trace_strerror(enum trace_error error)
{
    switch (error) {
    case TRACE_OK:
        return "no error";
    case TRACE_ERROR_OPEN:
        return strerror(errno);
    case TRACE_ERROR_EMPTY:
        return "the file is empty; was the disk full, or the program killed at once?";
    case TRACE_ERROR_FOREIGN:
        return "not a memtrace trace; give a file that `memtrace run` wrote";
    case TRACE_ERROR_NEWER:
        return "written by a newer memtrace; read it with that version";
    case TRACE_ERROR_DIRECTORY:
        return "a directory; give a trace file";
    case TRACE_ERROR_NOTHING:
        return "cut off before its first data; nothing can be read from it";
    case TRACE_ERROR_MEMORY:
        return "not enough memory to read it";
    }
    return "unknown error";
}
