/*
 * Takes a trace file apart into chunks.  Runs in every report, on files that may
 * be cut, damaged, hostile or still growing: hence read, not mapped.
 */
#include "trace/chunk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zstd.h>

/* What a file may unpack to: enough for any honest one, and no bomb. */
#define BUDGET_BASE (256ull << 20)
#define BUDGET_RATIO 256ull

static uint32_t get_u32(const uint8_t *at)
{
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static enum trace_error check_header(const struct chunk_file *file)
{
    const uint8_t *bytes = file->bytes;
    size_t magic = file->size < MT_TRACE_MAGIC_SIZE ? file->size : MT_TRACE_MAGIC_SIZE;
    if (file->size == 0)
        return TRACE_ERROR_EMPTY;
    if (memcmp(bytes, MT_TRACE_MAGIC, magic) != 0)
        return TRACE_ERROR_FOREIGN;
    if (file->size < MT_TRACE_HEADER_SIZE)
        return TRACE_ERROR_NOTHING;
    unsigned major = bytes[MT_TRACE_MAGIC_SIZE] | (unsigned)bytes[MT_TRACE_MAGIC_SIZE + 1] << 8;
    if (major > MT_TRACE_MAJOR)
        return TRACE_ERROR_NEWER;
    return major == MT_TRACE_MAJOR ? TRACE_OK : TRACE_ERROR_FOREIGN;
}

/* Appends what read() gives until it gives no more.  A pipe will do as well. */
static enum trace_error read_all(struct chunk_file *file, int fd, size_t capacity)
{
    for (;;) {
        if (file->size == capacity || !file->bytes) {
            capacity = file->bytes ? capacity * 2 : capacity;
            uint8_t *bytes = realloc(file->bytes, capacity);
            if (!bytes)
                return TRACE_ERROR_MEMORY;
            file->bytes = bytes;
        }
        ssize_t n = read(fd, file->bytes + file->size, capacity - file->size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return TRACE_ERROR_OPEN;
        if (n == 0)
            return TRACE_OK;
        file->size += (size_t)n;
        if (file->size >= MT_TRACE_HEADER_SIZE && check_header(file) != TRACE_OK)
            return TRACE_OK; /* no trace: the rest, which may never end, does not matter */
    }
}

static enum trace_error load(struct chunk_file *file, const char *path)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return TRACE_ERROR_OPEN;
    enum trace_error error = TRACE_ERROR_OPEN;
    if (fstat(fd, &status) == 0) {
        if (S_ISDIR(status.st_mode))
            error = TRACE_ERROR_DIRECTORY;
        else
            error =
                read_all(file, fd, S_ISREG(status.st_mode) ? (size_t)status.st_size + 1 : 65536);
    }
    int saved = errno;
    close(fd);
    errno = saved;
    return error;
}

enum trace_error chunk_open(struct chunk_file *file, const char *path)
{
    memset(file, 0, sizeof *file);
    enum trace_error error = load(file, path);
    if (error == TRACE_OK)
        error = check_header(file);
    if (error != TRACE_OK)
        return error;
    file->at = MT_TRACE_HEADER_SIZE;
    file->budget = BUDGET_BASE + BUDGET_RATIO * file->size;
    file->zstd = ZSTD_createDCtx();
    return file->zstd ? TRACE_OK : TRACE_ERROR_MEMORY;
}

static enum chunk_status unpack(struct chunk_file *file, size_t stored, size_t raw)
{
    if (raw > file->raw_capacity) {
        free(file->raw);
        file->raw = malloc(raw);
        file->raw_capacity = file->raw ? raw : 0;
        if (!file->raw)
            return CHUNK_MEMORY;
    }
    size_t size = ZSTD_decompressDCtx(
        file->zstd, file->raw, raw, file->bytes + file->at + MT_CHUNK_HEADER_SIZE, stored);
    return ZSTD_isError(size) || size != raw ? CHUNK_DAMAGED : CHUNK_GOOD;
}

enum chunk_status chunk_next(struct chunk_file *file, int *kind, struct cursor *body)
{
    const uint8_t *header = file->bytes + file->at;
    size_t left = file->size - file->at;
    uint8_t mark[4] = {'M', 'T', 'C', 'K'};
    if (left == 0)
        return CHUNK_EOF;
    if (memcmp(header, mark, left < 4 ? left : 4) != 0)
        return CHUNK_DAMAGED;
    if (left < MT_CHUNK_HEADER_SIZE)
        return CHUNK_CUT;
    size_t stored = get_u32(header + 4), raw = get_u32(header + 8);
    if (raw < 2 || raw > MT_CHUNK_MAX || raw > file->budget || stored > ZSTD_compressBound(raw))
        return CHUNK_DAMAGED;
    if (stored > left - MT_CHUNK_HEADER_SIZE)
        return CHUNK_CUT;
    enum chunk_status status = unpack(file, stored, raw);
    if (status != CHUNK_GOOD)
        return status;
    file->budget -= raw;
    *body = (struct cursor){.at = file->raw + 1, .end = file->raw + raw};
    *kind = file->raw[0];
    uint64_t sequence = cursor_varint(body);
    return body->bad || sequence != file->sequence ? CHUNK_DAMAGED : CHUNK_GOOD;
}

void chunk_accept(struct chunk_file *file)
{
    file->at += MT_CHUNK_HEADER_SIZE + get_u32(file->bytes + file->at + 4);
    file->sequence++;
}

void chunk_close(struct chunk_file *file)
{
    ZSTD_freeDCtx(file->zstd);
    free(file->raw);
    free(file->bytes);
    memset(file, 0, sizeof *file);
}
