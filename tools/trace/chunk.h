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
    int fd;
    int failed;     /* errno of a read, 0: none */
    uint8_t *bytes; /* a window of the file; from start to end is what was read and not accepted */
    size_t start, end, capacity;
    uint64_t size;     /* of the file; of a pipe what was read of it */
    uint64_t at;       /* end of the last good chunk in the file */
    size_t chunk;      /* bytes in the file of the one that chunk_next gave */
    uint64_t sequence; /* number of the next chunk */
    uint64_t unpacked; /* raw bytes so far */
    uint8_t *raw;      /* the chunk that chunk_next gave */
    size_t raw_capacity;
    void *zstd;
};

enum chunk_status { CHUNK_GOOD, CHUNK_EOF, CHUNK_CUT, CHUNK_DAMAGED, CHUNK_MEMORY };

/* Opens the file and checks its header. */
enum trace_error chunk_open(struct chunk_file *file, const char *path);
/* Goes to where a chunk of that number begins, which was `at` when it was read; false if the file
   cannot be read twice. */
bool chunk_seek(struct chunk_file *file, uint64_t at, uint64_t sequence);
/* Unpacks the next chunk: kind and body, valid until the next call. */
enum chunk_status chunk_next(struct chunk_file *file, int *kind, struct cursor *body);
/* Says that the chunk was good to the last byte: `at` moves behind it. */
void chunk_accept(struct chunk_file *file);
void chunk_close(struct chunk_file *file);

#endif
