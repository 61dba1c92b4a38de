/*
 * Fuzzer of the line tables: any bytes, as each of the three kinds, decoded to a
 * table and looked up one by one; both ways must find the same lines.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "collect/memory.h"
#include "collect/pylines.h"
#include "fuzz.h"

static void compare(enum mt_lines kind, const uint8_t *table, size_t size, int first_line)
{
    struct pylines lines;
    pylines_decode(&lines, kind, table, size, first_line);
    for (int at = -1; at < 2048; at += at < 64 ? 1 : 37) {
        if (pylines_line(&lines, at) != pylines_find(kind, table, size, first_line, at))
            abort();
    }
    pylines_line(&lines, INT32_MAX);
    pylines_free(&lines);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int32_t first_line = 0;
    if (size < sizeof first_line)
        return 0;
    memcpy(&first_line, data, sizeof first_line);
    uint8_t *table =
        malloc(size - sizeof first_line + 1); /* its end is where a sanitizer sees it */
    memcpy(table, data + sizeof first_line, size - sizeof first_line);
    table = realloc(table, size - sizeof first_line ? size - sizeof first_line : 1);
    for (int kind = 0; kind <= MT_LINES_LOCATIONS + 1; kind++)
        compare((enum mt_lines)kind, table, size - sizeof first_line, first_line);
    free(table);
    return 0;
}
