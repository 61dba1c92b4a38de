/*
 * Compares pylines with what an interpreter says of its own tables: reads the
 * dump that check_lines.py makes on stdin, and fails on any difference.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "collect/pylines.h"

/* A code object in the dump: this, the table, the line of each second byte from 0 on. */
struct header {
    int32_t kind;
    int32_t first_line;
    uint32_t table_bytes;
    uint32_t instructions;
    int32_t before; /* line of instruction -1 */
};

static unsigned long codes, lines_compared, differences;

static void *read_array(size_t count, size_t bytes)
{
    void *array = malloc(count * bytes + 1);
    if (array == NULL || fread(array, bytes, count, stdin) != count) {
        fputs("check_lines: the dump is cut short\n", stderr);
        exit(2);
    }
    return array;
}

static void compare(const struct header *code, const uint8_t *table, const struct pylines *lines,
    int instruction, int expected)
{
    int found = pylines_find(
        (enum mt_lines)code->kind, table, code->table_bytes, code->first_line, instruction);
    int decoded = pylines_line(lines, instruction);
    lines_compared++;
    if (found != expected || decoded != expected) {
        differences++;
        fprintf(stderr, "code %lu from line %d, instruction %d: %d, found %d, decoded %d\n", codes,
            code->first_line, instruction, expected, found, decoded);
    }
}

static void check_code(const struct header *code)
{
    uint8_t *table = read_array(code->table_bytes, 1);
    int32_t *expected = read_array(code->instructions, sizeof(*expected));
    struct pylines lines;
    pylines_decode(
            &lines, (enum mt_lines)code->kind, table, code->table_bytes, code->first_line);
    compare(code, table, &lines, -1, code->before);
    for (uint32_t i = 0; i < code->instructions; i++) {
        compare(code, table, &lines, (int)(2 * i), expected[i]);
    }
    pylines_free(&lines);
    free(expected);
    free(table);
    codes++;
}

int main(void)
{
    struct header code;
    while (fread(&code, sizeof(code), 1, stdin) == 1) {
        check_code(&code);
    }
    printf("%lu codes, %lu instructions, %lu differences\n", codes, lines_compared, differences);
    return differences > 0 || codes == 0;
}
