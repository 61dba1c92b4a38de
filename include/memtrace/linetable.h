/*
 * CPython's three kinds of line table (Objects/codeobject.c of 3.8, 3.10 and 3.11;
 * Objects/lnotab_notes.txt, Objects/locations.md), range by range.  The agent reads them in the
 * interpreter's memory, the collector in what the agent sent, which may be damaged: no length is
 * trusted, nothing outside of the table is read.
 */
#ifndef MEMTRACE_LINETABLE_H
#define MEMTRACE_LINETABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "memtrace/ring.h"

#define MT_CODE_UNIT 2 /* bytes of an instruction in 3.10 and later */
#define MT_NO_LINE (-1)
#define MT_NO_LINE_DELTA (-128) /* in a table of 3.10 */

/* Codes of an entry in a location table. */
enum mt_location {
    MT_LOCATION_ONE_LINE0 = 10, /* on the same line; what is less is too, and shorter */
    MT_LOCATION_ONE_LINE1 = 11, /* one line further */
    MT_LOCATION_ONE_LINE2 = 12, /* two */
    MT_LOCATION_NO_COLUMNS = 13,
    MT_LOCATION_LONG = 14,
    MT_LOCATION_NONE = 15
};

/* Goes through a table from range to range.  Lines wrap around as the interpreter's do. */
struct mt_line_cursor {
    enum mt_lines kind;
    const uint8_t *table;
    size_t size;
    size_t position;
    uint64_t end;      /* of the current range */
    int line;          /* of the current range, or negative */
    uint32_t computed; /* the line that deltas add to */
};

static inline void mt_lines_begin(struct mt_line_cursor *cursor, enum mt_lines kind,
    const uint8_t *table, size_t size, int first_line)
{
    *cursor = (struct mt_line_cursor){
        .kind = kind, .table = table, .size = size, .computed = (uint32_t)first_line};
}

/* A pair ends the range before it, and its line delta is for what follows. */
static inline bool mt_lines_lnotab(struct mt_line_cursor *cursor)
{
    if (cursor->end == UINT64_MAX) {
        return false;
    }
    cursor->line = (int)cursor->computed;
    if (cursor->size - cursor->position < 2) {
        cursor->end = UINT64_MAX; /* the last line goes on for ever */
        return true;
    }
    cursor->end += cursor->table[cursor->position];
    cursor->computed += (uint32_t)(int8_t)cursor->table[cursor->position + 1];
    cursor->position += 2;
    return true;
}

static inline bool mt_lines_310(struct mt_line_cursor *cursor)
{
    if (cursor->size - cursor->position < 2) {
        return false;
    }
    cursor->end += cursor->table[cursor->position];
    int delta = (int8_t)cursor->table[cursor->position + 1];
    cursor->position += 2;
    if (delta == MT_NO_LINE_DELTA) {
        cursor->line = MT_NO_LINE;
        return true;
    }
    cursor->computed += (uint32_t)delta;
    cursor->line = (int)cursor->computed;
    return true;
}

/* Six bits a byte, low ones first, 64 says that more follow; bit 0 of the whole is the sign. */
static inline uint32_t mt_lines_read_signed_varint(
    const struct mt_line_cursor *cursor, size_t position)
{
    uint32_t value = 0;
    for (unsigned shift = 0; position < cursor->size; shift += 6, position++) {
        uint8_t byte = cursor->table[position];
        if (byte & 128) { /* the next entry: this one was cut short */
            break;
        }
        if (shift < 32) {
            value |= (uint32_t)(byte & 63) << shift;
        }
        if (!(byte & 64)) {
            break;
        }
    }
    return value & 1 ? 0u - (value >> 1) : value >> 1;
}

static inline uint32_t mt_lines_location_delta(const struct mt_line_cursor *cursor, unsigned code)
{
    switch (code) {
    case MT_LOCATION_ONE_LINE1:
        return 1;
    case MT_LOCATION_ONE_LINE2:
        return 2;
    case MT_LOCATION_NO_COLUMNS:
    case MT_LOCATION_LONG:
        return mt_lines_read_signed_varint(cursor, cursor->position + 1);
    default:
        return 0;
    }
}

/* The bytes of an entry behind its first one; those of the longer kinds are not counted: only a
   first byte has its high bit set. */
static inline size_t mt_lines_rest(const struct mt_line_cursor *cursor, unsigned code)
{
    if (code < MT_LOCATION_NO_COLUMNS) {
        return code < MT_LOCATION_ONE_LINE0 ? 1 : 2;
    }
    size_t rest = 0, left = cursor->size - cursor->position;
    while (rest < left && !(cursor->table[cursor->position + rest] & 128)) {
        rest++;
    }
    return rest;
}

static inline bool mt_lines_location(struct mt_line_cursor *cursor)
{
    if (cursor->position >= cursor->size) {
        return false;
    }
    uint8_t head = cursor->table[cursor->position];
    unsigned code = (head >> 3) & 15;
    cursor->computed += mt_lines_location_delta(cursor, code);
    cursor->line = code == MT_LOCATION_NONE ? MT_NO_LINE : (int)cursor->computed;
    cursor->end += MT_CODE_UNIT * ((head & 7) + 1u);
    cursor->position++;
    cursor->position += mt_lines_rest(cursor, code);
    return true;
}

static inline bool mt_lines_next(struct mt_line_cursor *cursor)
{
    switch (cursor->kind) {
    case MT_LINES_LNOTAB:
        return mt_lines_lnotab(cursor);
    case MT_LINES_310:
        return mt_lines_310(cursor);
    case MT_LINES_LOCATIONS:
        return mt_lines_location(cursor);
    }
    return false;
}

#endif
