/*
 * Lines that on a terminal are no longer than it is wide: those of tables are cut, for
 * wrapped, their columns are none; others go on below, where their parts or words end.
 */
#ifndef RENDER_FIT_H
#define RENDER_FIT_H

#include <stddef.h>
#include <stdio.h>

/* A stream whose lines come out in `file`, cut to `width` columns with an ellipsis; `file` itself
   where that is less than `least`, which would leave nothing worth reading, or not known (0). */
FILE *fit_open(FILE *file, int width, int least);
/* The same, but what is too long for a line goes on in the next one, indented. */
FILE *fit_wrap(FILE *file, int width);
/* What was printed is in `file` then, which stays open. */
void fit_close(FILE *fit, FILE *file);
/* Columns that printed text takes: none for escapes, two for wide characters. */
size_t fit_columns(const char *text, size_t size);

#endif
