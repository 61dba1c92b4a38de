/*
 * Reads numbers and bytes out of memory that nobody vouches for.  Runs in the
 * reader.  After the first read past the end, or of a number that cannot be,
 * `bad` is set for good and all reads give 0: callers check it once a record.
 */
#ifndef TRACE_CURSOR_H
#define TRACE_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cursor {
    const uint8_t *at, *end;
    bool bad;
};

uint64_t cursor_varint(struct cursor *cursor);
int64_t cursor_svarint(struct cursor *cursor);
/* `count` of them into int64_t that are `stride` bytes apart. */
void cursor_svarints(struct cursor *cursor, void *first, size_t stride, size_t count);
/* A varint of bytes, blocks or events, up to MT_AMOUNT_MOST; of microseconds, up to MT_TIME_MOST. */
uint64_t cursor_amount(struct cursor *cursor);
uint64_t cursor_time(struct cursor *cursor);
/* A varint below `limit`. */
uint32_t cursor_id(struct cursor *cursor, size_t limit);
/* A varint that counts records of at least `least` bytes each, which must be there. */
size_t cursor_count(struct cursor *cursor, size_t least);
/* The next `size` bytes, NULL if there are not as many. */
const uint8_t *cursor_bytes(struct cursor *cursor, size_t size);
size_t cursor_left(const struct cursor *cursor);

#endif
