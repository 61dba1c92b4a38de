/*
 * Line numbers out of CPython's line tables, outside of the interpreter: what
 * PyCode_Addr2Line says of the same table, with "no line" as 0, as tracemalloc
 * has it.
 *
 * Runs in the tools.  A table comes from another process and may be cut short or
 * damaged: nothing outside of it is read, and any line may come out.
 */
#ifndef MEMTRACE_PYLINES_H
#define MEMTRACE_PYLINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "memtrace/ring.h"

/*
 * Line of the instruction at that offset, in bytes from the start of the code; 0 if it has
 * none.  Before the first instruction (a negative offset) it is first_line.
 */
int pylines_find(
    enum mt_lines kind, const uint8_t *table, size_t size, int first_line, int instruction);

/* A table decoded once, for many look-ups. */
struct pylines_range {
    uint32_t end; /* the range starts where the one before ends, the first one at 0 */
    int32_t line;
};

struct pylines {
    struct pylines_range *ranges;
    size_t count;
    int first_line;
};

/* Needs pylines_free. */
void pylines_decode(
    struct pylines *lines, enum mt_lines kind, const uint8_t *table, size_t size, int first_line);

/* As pylines_find. */
int pylines_line(const struct pylines *lines, int instruction);

void pylines_free(struct pylines *lines);

#endif
