/*
 * The rows of boundaries and peaks as they are in the file: column by column,
 * since like compresses with like (include/memtrace/format.h).
 */
#ifndef TRACE_ROWS_H
#define TRACE_ROWS_H

#include <stddef.h>
#include <stdint.h>

#include "trace/cursor.h"
#include "trace/writer.h"

enum { /* values of a row */
    ROWS_OF_PEAK = 2,
    ROWS_OF_BOUNDARY = 4,
    ROWS_OF_SAMPLED_PEAK = 3,
    ROWS_OF_SAMPLED_BOUNDARY = 6,
    ROWS_VALUES = 6
};

struct row {
    uint32_t site, birth;
    /* Bytes, blocks; of boundaries also allocated bytes, allocations; where blocks are samples,
       then the spread of bytes and, of boundaries, that of allocated bytes. */
    int64_t values[ROWS_VALUES];
};

/* Appends the number of rows and the rows, which are sorted by (site, birth). */
void rows_put(struct buffer *out, const struct row *rows, size_t count, int values);
/* Reads `count` rows (the number was read) into room for as many.  Sets body->bad if they are not
   all there, a site is not from 1 to below n_sites, a birth not below n_births, or they are not
   in order. */
void rows_get(struct cursor *body, struct row *rows, size_t count, int values, size_t n_sites,
    size_t n_births);

#endif
