/*
 * What text may use where it goes: colours and the width of a terminal, lines
 * of UTF-8.  Plain text into a pipe or a file.
 */
#ifndef RENDER_LOOK_H
#define RENDER_LOOK_H

#include <stdbool.h>
#include <stdio.h>

enum paint { PAINT_NONE, PAINT_DIM, PAINT_BOLD, PAINT_WARM, PAINT_HOT, PAINT_GOOD };

struct look {
    bool colours; /* NO_COLOR is respected */
    bool utf8;
    int width; /* columns; 0: no limit */
};

struct look look_of(FILE *file);
/* The escape that begins a paint, and the one that ends it; "" without colours. */
const char *look_paint(const struct look *look, enum paint paint);
const char *look_end(const struct look *look, enum paint paint);
/* The paint for a share (0 to 1) of a whole. */
enum paint look_heat(double share);

#endif
