/*
 * Line numbers out of CPython's line tables (memtrace/linetable.h).
 *
 * Runs in the tools, on bytes that another process sent: never trusts a length.
 */
#include "collect/pylines.h"

#include "collect/memory.h"
#include "memtrace/linetable.h"

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
    struct mt_line_cursor cursor;
    mt_lines_begin(&cursor, kind, table, size, first_line);
    while (mt_lines_next(&cursor)) {
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
    struct mt_line_cursor cursor;
    size_t entries = 0;
    mt_lines_begin(&cursor, kind, table, size, first_line);
    while (mt_lines_next(&cursor)) {
        entries++;
    }
    if (entries == 0) {
        return;
    }
    lines->ranges = memory_zeroed(entries, sizeof(*lines->ranges));
    mt_lines_begin(&cursor, kind, table, size, first_line);
    while (mt_lines_next(&cursor)) {
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
