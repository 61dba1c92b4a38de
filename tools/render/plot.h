/*
 * What a plot shows, before anybody draws it: the series, the peak, the words
 * and the units of the axes.  Runs in reports; no accounting.
 */
#ifndef RENDER_PLOT_H
#define RENDER_PLOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "trace/series.h"

enum { PLOT_LINES = 8 }; /* processes with a line of their own; the last one may be the others */

struct plot_line { /* resident set size of one process, or of those too small for a line */
    char name[64];
    struct series series;
};

struct plot_unit {
    double size;
    const char *name;
}; /* microseconds or bytes */

struct plot {
    const struct trace *trace;
    char *title, *subtitle;
    struct series total; /* of all processes */
    struct plot_line lines[PLOT_LINES];
    size_t n_lines; /* 0 where there is one process only */
    struct series_peak peak;
    bool peak_split; /* its python and native are known, not only their sum */
    uint64_t from_us, to_us;
    uint64_t max_rss, max_live, max_mapped, top; /* bytes; top is the end of the axis */
    bool mapped_shown, spikes_shown;
    struct plot_unit time_unit, size_unit;
};

struct plot_options {
    const char *title; /* NULL: the command */
    bool windowed;
    double from_s, to_s;
    size_t points; /* the most to keep of a series */
};

enum plot_error {
    PLOT_OK = 0,
    PLOT_ERROR_MEMORY = -1,
    PLOT_ERROR_EMPTY = -2, /* no sample */
    PLOT_ERROR_WINDOW = -3 /* no sample in the window */
};

enum plot_error plot_make(
    struct plot *plot, const struct trace *trace, const struct plot_options *options);
void plot_free(struct plot *plot);

/* gnuplot scripts.  They need plots/timeline.gp and plots/terminal.gp after them. */
enum plot_format { PLOT_PNG, PLOT_SVG, PLOT_PDF };
void plot_image_script(
    FILE *script, const struct plot *plot, enum plot_format format, int width, int height);
struct plot_terminal {
    int columns, rows;
    bool utf8, color;
};
void plot_terminal_script(
    FILE *script, const struct plot *plot, const struct plot_terminal *terminal);

/* The samples as they are in the trace, within a window.  */
void plot_csv(FILE *out, const struct trace *trace, const struct plot_options *options);
void plot_json(FILE *out, const struct trace *trace, const struct plot_options *options);

#endif
