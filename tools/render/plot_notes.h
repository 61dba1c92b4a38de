/*
 * Marks and regions of a plot of characters: lines of words below its axis.
 */
#ifndef RENDER_PLOT_NOTES_H
#define RENDER_PLOT_NOTES_H

#include "render/plot.h"

/* How many lines they take, if so many are free. */
int plot_notes_lines(const struct plot *plot, int most);
/* Writes them as labels: `left` is the column of the axis, `columns` its width with both ends. */
void plot_notes_write(FILE *script, const struct plot *plot, const struct plot_terminal *terminal,
    int left, int columns, int lines);

#endif
