/*
 * Takes a trace file apart into chunks.  Runs in every report, on files that may
 * be cut, damaged, hostile or still growing: hence read, not mapped, and a chunk
 * at a time, as a file may claim any size.  A pipe will do as well.
 */
#include "trace/chunk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zstd.h>

#define WINDOW ((size_t)256 << 10)
/* What has been read may unpack to: enough for any honest file, and no bomb. */
#define BUDGET_BASE (256ull << 20)
#define BUDGET_RATIO 256ull

static uint32_t get_u32(const uint8_t *at)
{
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static size_t in_window(const struct chunk_file *file)
{
    return file->end - file->start;
}

/* The window moves to the front, and is made larger where `need` bytes are more than it. */
static bool make_room(struct chunk_file *file, size_t need)
{
    if (in_window(file))
        memmove(file->bytes, file->bytes + file->start, in_window(file));
    file->end -= file->start;
    file->start = 0;
    size_t capacity = file->capacity ? file->capacity : WINDOW;
    while (capacity < need)
        capacity *= 2;
    if (capacity > file->capacity) {
        uint8_t *bytes = realloc(file->bytes, capacity);
        if (!bytes)
            return false;
        file->bytes = bytes;
        file->capacity = capacity;
    }
    return true;
}

/* Reads until there are `need` bytes in the window or no more in the file; twice what is there at
   most, so that a size that is only claimed takes no memory. */
static enum chunk_status fill(struct chunk_file *file, size_t need)
{
    while (in_window(file) < need && !file->failed) {
        size_t part = 2 * in_window(file) + WINDOW;
        if (!make_room(file, need < part ? need : part))
            return CHUNK_MEMORY;
        ssize_t n = read(file->fd, file->bytes + file->end, file->capacity - file->end);
        if (n == 0)
            break;
        if (n > 0)
            file->end += (size_t)n;
        else if (errno != EINTR)
            file->failed = errno;
    }
    uint64_t known = file->at + in_window(file);
    file->size = file->size > known ? file->size : known;
    return CHUNK_GOOD;
}

static enum trace_error check_header(const struct chunk_file *file)
{
    const uint8_t *bytes = file->bytes;
    size_t size = in_window(file);
    if (file->failed) {
        errno = file->failed;
        return TRACE_ERROR_OPEN;
    }
    if (size == 0)
        return TRACE_ERROR_EMPTY;
    if (memcmp(bytes, MT_TRACE_MAGIC, size < MT_TRACE_MAGIC_SIZE ? size : MT_TRACE_MAGIC_SIZE) != 0)
        return TRACE_ERROR_FOREIGN;
    if (size < MT_TRACE_HEADER_SIZE)
        return TRACE_ERROR_NOTHING;
    unsigned major = bytes[MT_TRACE_MAGIC_SIZE] | (unsigned)bytes[MT_TRACE_MAGIC_SIZE + 1] << 8;
    if (major > MT_TRACE_MAJOR)
        return TRACE_ERROR_NEWER;
    return major == MT_TRACE_MAJOR ? TRACE_OK : TRACE_ERROR_FOREIGN;
}

static enum trace_error open_file(struct chunk_file *file, const char *path)
{
    struct stat status;
    file->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (file->fd < 0 || fstat(file->fd, &status) != 0)
        return TRACE_ERROR_OPEN;
    if (S_ISDIR(status.st_mode))
        return TRACE_ERROR_DIRECTORY;
    file->size = S_ISREG(status.st_mode) ? (uint64_t)status.st_size : 0;
    return TRACE_OK;
}

enum trace_error chunk_open(struct chunk_file *file, const char *path)
{
    memset(file, 0, sizeof *file);
    enum trace_error error = open_file(file, path);
    if (error == TRACE_OK && fill(file, MT_TRACE_HEADER_SIZE) != CHUNK_GOOD)
        error = TRACE_ERROR_MEMORY;
    if (error == TRACE_OK)
        error = check_header(file);
    if (error != TRACE_OK)
        return error;
    file->at = file->start = MT_TRACE_HEADER_SIZE;
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
        file->zstd, file->raw, raw, file->bytes + file->start + MT_CHUNK_HEADER_SIZE, stored);
    return ZSTD_isError(size) || size != raw ? CHUNK_DAMAGED : CHUNK_GOOD;
}

enum chunk_status chunk_next(struct chunk_file *file, int *kind, struct cursor *body)
{
    uint8_t mark[4] = {'M', 'T', 'C', 'K'};
    if (fill(file, MT_CHUNK_HEADER_SIZE) != CHUNK_GOOD)
        return CHUNK_MEMORY;
    const uint8_t *header = file->bytes + file->start;
    size_t left = in_window(file);
    if (left == 0)
        return CHUNK_EOF;
    if (memcmp(header, mark, left < 4 ? left : 4) != 0)
        return CHUNK_DAMAGED;
    if (left < MT_CHUNK_HEADER_SIZE)
        return CHUNK_CUT;
    size_t stored = get_u32(header + 4), raw = get_u32(header + 8);
    file->chunk = MT_CHUNK_HEADER_SIZE + stored;
    uint64_t budget = BUDGET_BASE + BUDGET_RATIO * (file->at + file->chunk);
    if (raw < 2 || raw > MT_CHUNK_MAX || file->unpacked + raw > budget ||
        stored > ZSTD_compressBound(raw))
        return CHUNK_DAMAGED;
    enum chunk_status status = fill(file, file->chunk);
    if (status == CHUNK_GOOD && in_window(file) < file->chunk)
        return CHUNK_CUT;
    if (status == CHUNK_GOOD)
        status = unpack(file, stored, raw);
    if (status != CHUNK_GOOD)
        return status;
    file->unpacked += raw;
    *body = (struct cursor){.at = file->raw + 1, .end = file->raw + raw};
    *kind = file->raw[0];
    uint64_t sequence = cursor_varint(body);
    return body->bad || sequence != file->sequence ? CHUNK_DAMAGED : CHUNK_GOOD;
}

bool chunk_seek(struct chunk_file *file, uint64_t at, uint64_t sequence)
{
    if (lseek(file->fd, (off_t)at, SEEK_SET) != (off_t)at)
        return false;
    file->start = file->end = 0;
    file->at = at;
    file->sequence = sequence;
    file->unpacked = 0; /* it has been read before */
    return true;
}

void chunk_accept(struct chunk_file *file)
{
    file->at += file->chunk;
    file->start += file->chunk;
    file->sequence++;
}

void chunk_close(struct chunk_file *file)
{
    ZSTD_freeDCtx(file->zstd);
    free(file->raw);
    free(file->bytes);
    if (file->fd >= 0)
        close(file->fd);
    memset(file, 0, sizeof *file);
}
