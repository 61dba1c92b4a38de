/*
 * Plots through gnuplot: onto the terminal, or into a file.  Speaks on stderr for
 * the command.
 */
#ifndef RENDER_PLOT_DRAW_H
#define RENDER_PLOT_DRAW_H

#include <stdbool.h>

#include "render/plot.h"

enum plot_kind {
    PLOT_NONE = -1,
    KIND_PNG,
    KIND_SVG,
    KIND_PDF,
    KIND_TEXT,
    KIND_CSV,
    KIND_JSON,
    KIND_GNUPLOT,
    PLOT_KINDS
};
extern const char *const plot_kind_names[PLOT_KINDS];

struct plot_drawing {
    const struct plot *plots;
    size_t n;          /* more than one: overlaid */
    const char *title; /* as given, or NULL */
    enum plot_kind kind;
    const char *output; /* NULL: the name of the trace, or stdout */
    int width, height;  /* pixels, or characters of a terminal; 0: the default */
};

/* False after a message. */
bool plot_draw(const struct plot_drawing *drawing);

#endif
