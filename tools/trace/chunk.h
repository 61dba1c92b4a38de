/*
 * The framing of a trace file: header, then chunks.  Runs in the reader; knows
 * nothing of what is in a chunk but its kind and number.
 */
#ifndef TRACE_CHUNK_H
#define TRACE_CHUNK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "trace/cursor.h"
#include "trace/model.h"

struct chunk_file {
    uint8_t *bytes; /* the whole file */
    size_t size;
    size_t at;         /* end of the last good chunk */
    uint64_t sequence; /* number of the next chunk */
    uint64_t budget;   /* raw bytes that this file may still unpack to */
    uint8_t *raw;      /* the chunk that chunk_next gave */
    size_t raw_capacity;
    void *zstd;
};

enum chunk_status { CHUNK_GOOD, CHUNK_EOF, CHUNK_CUT, CHUNK_DAMAGED, CHUNK_MEMORY };

/* Reads the file into memory and checks its header. */
enum trace_error chunk_open(struct chunk_file *file, const char *path);
/* Unpacks the next chunk: kind and body, valid until the next call. */
enum chunk_status chunk_next(struct chunk_file *file, int *kind, struct cursor *body);
/* Says that the chunk was good to the last byte: `at` moves behind it. */
void chunk_accept(struct chunk_file *file);
void chunk_close(struct chunk_file *file);

#endif
