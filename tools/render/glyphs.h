/*
 * Characters that no font here has.  Cairo, as gnuplot uses it, draws a box with
 * their number for them that is many times as large as the picture.
 */
#ifndef RENDER_GLYPHS_H
#define RENDER_GLYPHS_H

#include <stddef.h>

/* Puts an empty square or a question mark for each of them, in place; returns the new size. */
size_t glyphs_replace(char *text, size_t size);

#endif
