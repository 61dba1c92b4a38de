/*
 * Bounds-checked decoding of varints.  Runs in the reader, on hostile input.
 */
#include "trace/cursor.h"

#include "memtrace/format.h"

static uint64_t fail(struct cursor *cursor)
{
    cursor->bad = true;
    cursor->at = cursor->end;
    return 0;
}

static inline uint64_t decode(struct cursor *cursor)
{
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
        if (cursor->at == cursor->end)
            return fail(cursor);
        uint8_t byte = *cursor->at++;
        if (shift == 63 && byte > 1)
            break;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return value;
    }
    return fail(cursor);
}

uint64_t cursor_varint(struct cursor *cursor)
{
    return decode(cursor);
}

static uint64_t at_most(struct cursor *cursor, uint64_t most)
{
    uint64_t value = decode(cursor);
    return value <= most ? value : fail(cursor);
}

uint64_t cursor_amount(struct cursor *cursor)
{
    return at_most(cursor, MT_AMOUNT_MOST);
}

uint64_t cursor_time(struct cursor *cursor)
{
    return at_most(cursor, MT_TIME_MOST);
}

static int64_t with_sign(uint64_t value)
{
    return (int64_t)((value >> 1) ^ -(value & 1));
}

int64_t cursor_svarint(struct cursor *cursor)
{
    return with_sign(decode(cursor));
}

void cursor_svarints(struct cursor *cursor, void *first, size_t stride, size_t count)
{
    for (char *at = first; count && !cursor->bad; count--, at += stride)
        *(int64_t *)(void *)at = with_sign(decode(cursor));
}

uint32_t cursor_id(struct cursor *cursor, size_t limit)
{
    uint64_t value = decode(cursor);
    if (value >= limit || value > UINT32_MAX)
        return (uint32_t)fail(cursor);
    return (uint32_t)value;
}

size_t cursor_count(struct cursor *cursor, size_t least)
{
    uint64_t value = cursor_varint(cursor);
    if (value > cursor_left(cursor) / least)
        return fail(cursor);
    return value;
}

const uint8_t *cursor_bytes(struct cursor *cursor, size_t size)
{
    const uint8_t *bytes = cursor->at;
    if (size > cursor_left(cursor)) {
        fail(cursor);
        return NULL;
    }
    cursor->at += size;
    return bytes;
}

size_t cursor_left(const struct cursor *cursor)
{
    return (size_t)(cursor->end - cursor->at);
}
