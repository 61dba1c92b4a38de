/*
 * The encoders of the trace file and its chunk framing.  Runs in the collector,
 * beside the traced program, and in the tests' assembler.  Memory that cannot be
 * had for a buffer ends the process: there is nothing left to save by then.
 */
#include "trace/writer.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <zstd.h>

#include "memtrace/format.h"

enum { COMPRESSION_LEVEL = 3 };

static void *resize(void *memory, size_t size)
{
    memory = realloc(memory, size);
    if (!memory)
        abort();
    return memory;
}

void *(*buffer_resize)(void *memory, size_t size) = resize;
void (*buffer_release)(void *memory) = free;

static void buffer_reserve(struct buffer *buffer, size_t more)
{
    if (buffer->capacity - buffer->size >= more)
        return;
    size_t capacity = buffer->capacity ? buffer->capacity * 2 : 256;
    while (capacity - buffer->size < more)
        capacity *= 2;
    buffer->data = buffer_resize(buffer->data, capacity);
    buffer->capacity = capacity;
}

uint8_t *buffer_room(struct buffer *buffer, size_t more)
{
    buffer_reserve(buffer, more);
    return buffer->data + buffer->size;
}

void buffer_append(struct buffer *buffer, const void *bytes, size_t size)
{
    if (!size)
        return;
    buffer_reserve(buffer, size);
    memcpy(buffer->data + buffer->size, bytes, size);
    buffer->size += size;
}

void buffer_varint(struct buffer *buffer, uint64_t value)
{
    buffer_reserve(buffer, 10);
    uint8_t *at = buffer->data + buffer->size;
    while (value >= 0x80) {
        *at++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *at++ = (uint8_t)value;
    buffer->size = (size_t)(at - buffer->data);
}

void buffer_svarint(struct buffer *buffer, int64_t value)
{
    uint64_t doubled = (uint64_t)value << 1;
    buffer_varint(buffer, value < 0 ? ~doubled : doubled);
}

void buffer_free(struct buffer *buffer)
{
    buffer_release(buffer->data);
    memset(buffer, 0, sizeof *buffer);
}

static void put_u32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

static void write_all(struct writer *writer, const uint8_t *bytes, size_t size)
{
    while (size && !writer->error) {
        ssize_t n = write(writer->fd, bytes, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            writer->error = n < 0 ? errno : EIO;
            return;
        }
        bytes += n;
        size -= (size_t)n;
        writer->written += (uint64_t)n;
    }
}

static void make_compressor(struct writer *writer)
{
    ZSTD_CCtx *zstd = ZSTD_createCCtx();
    writer->zstd = zstd;
    if (!zstd) {
        writer->error = ENOMEM;
        return;
    }
    ZSTD_CCtx_setParameter(zstd, ZSTD_c_compressionLevel, COMPRESSION_LEVEL);
    ZSTD_CCtx_setParameter(zstd, ZSTD_c_checksumFlag, 1);
}

void writer_open(struct writer *writer, int fd)
{
    uint8_t header[MT_TRACE_HEADER_SIZE] = MT_TRACE_MAGIC;
    memset(writer, 0, sizeof *writer);
    writer->fd = fd;
    header[MT_TRACE_MAGIC_SIZE] = MT_TRACE_MAJOR;
    header[MT_TRACE_MAGIC_SIZE + 2] = MT_TRACE_MINOR;
    make_compressor(writer);
    write_all(writer, header, sizeof header);
    writer->states[0].whole = writer->written;
}

uint64_t writer_sequence(const struct writer *writer)
{
    return writer->states[writer->current].sequence;
}

void writer_resume(struct writer *writer, int fd)
{
    writer->fd = fd;
    writer->error = 0;
    writer->written = writer->states[writer->current].whole;
    writer->raw = writer->packed = (struct buffer){0}; /* they may have been about to move */
    make_compressor(writer);
    if (ftruncate(fd, (off_t)writer->written) != 0)
        writer->error = errno;
}

/* Leaves the chunk, framed and compressed, in `packed`. */
static void pack(struct writer *writer)
{
    size_t bound = ZSTD_compressBound(writer->raw.size);
    writer->packed.size = 0;
    buffer_reserve(&writer->packed, MT_CHUNK_HEADER_SIZE + bound);
    uint8_t *at = writer->packed.data;
    size_t stored = ZSTD_compress2(
        writer->zstd, at + MT_CHUNK_HEADER_SIZE, bound, writer->raw.data, writer->raw.size);
    if (ZSTD_isError(stored)) {
        writer->error = EIO;
        return;
    }
    put_u32(at, MT_CHUNK_MARK);
    put_u32(at + 4, (uint32_t)stored);
    put_u32(at + 8, (uint32_t)writer->raw.size);
    writer->packed.size = MT_CHUNK_HEADER_SIZE + stored;
}

void writer_chunk(struct writer *writer, int kind, const struct buffer *body)
{
    uint8_t byte = (uint8_t)kind;
    if (writer->error)
        return;
    writer->raw.size = 0;
    buffer_append(&writer->raw, &byte, 1);
    buffer_varint(&writer->raw, writer_sequence(writer));
    buffer_append(&writer->raw, body->data, body->size);
    if (writer->raw.size > MT_CHUNK_MAX) {
        writer->error = EFBIG;
        return;
    }
    pack(writer);
    write_all(writer, writer->packed.data, writer->packed.size);
    if (!writer->error) {
        uint32_t next = !writer->current;
        writer->states[next] = (struct writer_state){writer_sequence(writer) + 1, writer->written};
        atomic_signal_fence(memory_order_seq_cst);
        writer->current = next;
    }
}

int writer_close(struct writer *writer)
{
    if (close(writer->fd) < 0 && !writer->error)
        writer->error = errno;
    ZSTD_freeCCtx(writer->zstd);
    buffer_free(&writer->raw);
    buffer_free(&writer->packed);
    writer->fd = -1;
    writer->zstd = NULL;
    return writer->error;
}
