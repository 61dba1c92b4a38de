/*
 * Reading the bytes of an object's tables, none beyond their end.  In the host,
 * inside malloc.
 */
#ifndef AGENT_BYTES_H
#define AGENT_BYTES_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct bytes {
    const uint8_t *next, *end;
    bool bad; /* the end came too early, or what is there is not understood */
};

static inline void bytes_skip(struct bytes *bytes, uint64_t count)
{
    if (count > (uint64_t)(bytes->end - bytes->next)) {
        bytes->bad = true;
        count = (uint64_t)(bytes->end - bytes->next);
    }
    bytes->next += count;
}

/* So many bytes as a number, at most 8. */
static inline uint64_t bytes_number(struct bytes *bytes, unsigned size)
{
    uint64_t value = 0;
    if (bytes->end - bytes->next >= (intptr_t)size) {
        memcpy(&value, bytes->next, size);
    }
    bytes_skip(bytes, size);
    return value;
}

static inline uint8_t bytes_u8(struct bytes *bytes)
{
    return (uint8_t)bytes_number(bytes, 1);
}

static inline uint32_t bytes_u32(struct bytes *bytes)
{
    return (uint32_t)bytes_number(bytes, 4);
}

static inline uint64_t bytes_leb(struct bytes *bytes, bool is_signed)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64;) {
        uint8_t byte = bytes_u8(bytes);
        value |= (uint64_t)(byte & 0x7f) << shift;
        shift += 7;
        if (!(byte & 0x80)) {
            bool negative = is_signed && byte & 0x40 && shift < 64;
            return negative ? value | ~0ull << shift : value;
        }
    }
    bytes->bad = true;
    return 0;
}

static inline uint64_t bytes_uleb(struct bytes *bytes)
{
    return bytes_leb(bytes, false);
}

static inline int64_t bytes_sleb(struct bytes *bytes)
{
    return (int64_t)bytes_leb(bytes, true);
}

#endif
