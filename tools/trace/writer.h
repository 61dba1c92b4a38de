/*
 * Writes a trace file (include/memtrace/format.h) chunk by chunk.  Runs in the
 * collector and in the tests' trace assembler.  It knows bytes and ids, no
 * accounting: callers give every id they use in the order of its definition.
 *
 * No function exits or prints.  After the first failed write `error` holds the
 * errno and all later calls do nothing; writer_close returns it.
 */
#ifndef TRACE_WRITER_H
#define TRACE_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buffer { /* bytes that grow; zeroed is empty; owned by whoever declares it */
    uint8_t *data;
    size_t size, capacity;
};

/* Where buffers get their memory: realloc and free, unless the collector says otherwise.  The
   first never fails. */
extern void *(*buffer_resize)(void *memory, size_t size);
extern void (*buffer_release)(void *memory);

/* Where the next bytes go, with room for `more`; who writes them adds to `size`. */
uint8_t *buffer_room(struct buffer *buffer, size_t more);
void buffer_append(struct buffer *buffer, const void *bytes, size_t size);
void buffer_varint(struct buffer *buffer, uint64_t value);
void buffer_svarint(struct buffer *buffer, int64_t value);
void buffer_free(struct buffer *buffer);

/* How far a file is written: whole chunks, and the bytes that they take with the header. */
struct writer_state {
    uint64_t sequence, whole;
};

struct writer {
    int fd;
    int error;        /* errno of the first failure, 0 while all is well */
    uint64_t written; /* bytes of the file so far */
    /* states[current]: the other one is filled first, so that a kill leaves one that is true. */
    struct writer_state states[2];
    uint32_t current;
    void *zstd; /* ZSTD_CCtx */
    struct buffer raw, packed;
};

/* Takes over fd (open for writing, at its end, empty) and writes the header. */
void writer_open(struct writer *writer, int fd);
/* Goes on with a file that another process has left: fd as for writer_open, but not empty.  What
   it had written of a chunk is cut off. */
void writer_resume(struct writer *writer, int fd);
/* Number of chunks that are written. */
uint64_t writer_sequence(const struct writer *writer);
/* Appends one chunk; body is not kept.  */
void writer_chunk(struct writer *writer, int kind, const struct buffer *body);
/* Closes the file; returns 0 or the errno of the first failure. */
int writer_close(struct writer *writer);

#endif
