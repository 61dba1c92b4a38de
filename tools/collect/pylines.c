/*
 * Line numbers out of CPython's three kinds of line table (Objects/codeobject.c
 * of 3.8, 3.10 and 3.11; Objects/lnotab_notes.txt, Objects/locations.md).
 *
 * Runs in the tools, on bytes that another process sent: never trusts a length.
 */
#include "collect/pylines.h"

#include "collect/memory.h"

#define CODE_UNIT 2 /* bytes of an instruction in 3.10 and later */
#define NO_LINE (-1)
#define NO_LINE_DELTA (-128) /* in a table of 3.10 */

/* Codes of an entry in a location table. */
enum location {
    LOCATION_ONE_LINE1 = 11, /* one line further */
    LOCATION_ONE_LINE2 = 12, /* two */
    LOCATION_NO_COLUMNS = 13,
    LOCATION_LONG = 14,
    LOCATION_NONE = 15
};

/* Goes through a table from range to range.  Lines wrap around as the interpreter's do. */
struct cursor {
    enum mt_lines kind;
    const uint8_t *table;
    size_t size;
    size_t position;
    uint64_t end;      /* of the current range */
    int line;          /* of the current range, or negative */
    uint32_t computed; /* the line that deltas add to */
};

static void cursor_start(
    struct cursor *cursor, enum mt_lines kind, const uint8_t *table, size_t size, int first_line)
{
    *cursor = (struct cursor){
        .kind = kind, .table = table, .size = size, .computed = (uint32_t)first_line};
}

/* A pair ends the range before it, and its line delta is for what follows. */
static bool next_lnotab(struct cursor *cursor)
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

static bool next_310(struct cursor *cursor)
{
    if (cursor->size - cursor->position < 2) {
        return false;
    }
    cursor->end += cursor->table[cursor->position];
    int delta = (int8_t)cursor->table[cursor->position + 1];
    cursor->position += 2;
    if (delta == NO_LINE_DELTA) {
        cursor->line = NO_LINE;
        return true;
    }
    cursor->computed += (uint32_t)delta;
    cursor->line = (int)cursor->computed;
    return true;
}

/* Six bits a byte, low ones first, 64 says that more follow; bit 0 of the whole is the sign. */
static uint32_t read_signed_varint(const struct cursor *cursor, size_t position)
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

static uint32_t location_delta(const struct cursor *cursor, unsigned code)
{
    switch (code) {
    case LOCATION_ONE_LINE1:
        return 1;
    case LOCATION_ONE_LINE2:
        return 2;
    case LOCATION_NO_COLUMNS:
    case LOCATION_LONG:
        return read_signed_varint(cursor, cursor->position + 1);
    default:
        return 0;
    }
}

/* Only the first byte of an entry has its high bit set. */
static bool next_location(struct cursor *cursor)
{
    if (cursor->position >= cursor->size) {
        return false;
    }
    uint8_t head = cursor->table[cursor->position];
    unsigned code = (head >> 3) & 15;
    cursor->computed += location_delta(cursor, code);
    cursor->line = code == LOCATION_NONE ? NO_LINE : (int)cursor->computed;
    cursor->end += CODE_UNIT * ((head & 7) + 1u);
    do {
        cursor->position++;
    } while (cursor->position < cursor->size && !(cursor->table[cursor->position] & 128));
    return true;
}

static bool cursor_next(struct cursor *cursor)
{
    switch (cursor->kind) {
    case MT_LINES_LNOTAB:
        return next_lnotab(cursor);
    case MT_LINES_310:
        return next_310(cursor);
    case MT_LINES_LOCATIONS:
        return next_location(cursor);
    }
    return false;
}

static int shown_line(int line)
{
    return line < 0 ? 0 : line;
}

int pylines_find(
    enum mt_lines kind, const uint8_t *table, size_t size, int first_line, int instruction)
{
    if (instruction < 0) {
        return shown_line(first_line);
    }
    struct cursor cursor;
    cursor_start(&cursor, kind, table, size, first_line);
    while (cursor_next(&cursor)) {
        if (cursor.end > (uint64_t)instruction) {
            return shown_line(cursor.line);
        }
    }
    return 0;
}

/* Appends a range, or makes the last one longer. */
static void add_range(struct pylines *lines, uint64_t end, int line)
{
    uint32_t end32 = end > UINT32_MAX ? UINT32_MAX : (uint32_t)end;
    struct pylines_range *last = lines->count > 0 ? &lines->ranges[lines->count - 1] : NULL;
    if (last != NULL && last->line == line) {
        last->end = end32;
    } else if (end32 > (last != NULL ? last->end : 0)) {
        lines->ranges[lines->count++] = (struct pylines_range){end32, line};
    }
}

void pylines_decode(
    struct pylines *lines, enum mt_lines kind, const uint8_t *table, size_t size, int first_line)
{
    *lines = (struct pylines){.first_line = shown_line(first_line)};
    struct cursor cursor;
    size_t entries = 0;
    cursor_start(&cursor, kind, table, size, first_line);
    while (cursor_next(&cursor)) {
        entries++;
    }
    if (entries == 0) {
        return;
    }
    lines->ranges = memory_zeroed(entries, sizeof(*lines->ranges));
    cursor_start(&cursor, kind, table, size, first_line);
    while (cursor_next(&cursor)) {
        add_range(lines, cursor.end, shown_line(cursor.line));
    }
}

int pylines_line(const struct pylines *lines, int instruction)
{
    if (instruction < 0) {
        return lines->first_line;
    }
    size_t low = 0;
    size_t high = lines->count;
    while (low < high) { /* the first range that ends after the instruction */
        size_t middle = low + (high - low) / 2;
        if (lines->ranges[middle].end > (uint32_t)instruction) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low < lines->count ? lines->ranges[low].line : 0;
}

void pylines_free(struct pylines *lines)
{
    memory_free(lines->ranges);
    *lines = (struct pylines){0};
}
