/*
 * Writes CSV as RFC 4180 has it.
 */
#ifndef RENDER_CSV_H
#define RENDER_CSV_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct trace;

/* Fields come with the separator before them, but for the first of a line. */
struct csv {
    FILE *file;
    int fields; /* of this line */
    const struct trace
        *samples; /* amounts are of this trace's samples: they have errors; or NULL */
    bool touched; /* what of them was touched is known */
};

void csv_text(struct csv *csv, const char *text);
void csv_number(struct csv *csv, int64_t number);
void csv_end_line(struct csv *csv);

#endif
