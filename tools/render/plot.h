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

#include "render/report.h"
#include "trace/errors.h"
#include "trace/series.h"
#include "trace/stack.h"

enum {
    PLOT_LINES = 8,    /* processes with a line of their own; the last one may be the others */
    PLOT_TRACES = 8,   /* overlaid */
    PLOT_STACKED = 12, /* rows of a key */
    PLOT_BANDS = 400,  /* regions */
    PLOT_LANES = 4,    /* of bands that overlap */
    PLOT_MARKS = 200,
    PLOT_NAME = 64,
    PLOT_ROW_NAME = 160,
    PLOT_PEAK = 128
};

struct plot_line { /* resident set size of one process, or of those too small for a line */
    char name[PLOT_NAME];
    struct series series;
};

struct plot_unit {
    double size;
    const char *name;
}; /* microseconds or bytes */

struct plot_mark {
    uint64_t time_us;
    char name[PLOT_NAME];
};

struct plot_band { /* a region; bands of one name have one colour */
    uint64_t from_us, to_us;
    unsigned lane, color;
    bool crowded; /* shares its place with another */
    char name[PLOT_NAME];
};

struct plot {
    const struct trace *trace;
    char *title, *subtitle;
    struct series total; /* of all processes */
    struct errors errors; /* of its live memory, where blocks are samples */
    struct plot_line lines[PLOT_LINES];
    size_t n_lines; /* 0 where there is one process only */
    struct series_peak peak;
    bool peak_split; /* its python and native are known, not only their sum */
    uint64_t from_us, to_us;
    bool proportional; /* the sum's RSS is PSS */
    uint64_t max_rss, max_live, max_mapped, top; /* bytes; top is the end of the axis */
    bool mapped_shown, spikes_shown;
    uint64_t limit; /* of the container's memory, 0 if it has none or it is out of the picture */
    struct plot_mark *marks; /* in the order of time */
    struct plot_band *bands; /* in the order of their begins */
    size_t n_marks, n_bands;
    unsigned n_lanes;
    struct series_slope slope; /* present if it was asked for */
    bool stacked;
    struct stack stack;
    char (*stack_names)[PLOT_ROW_NAME]; /* of its rows */
    enum units units; /* of all sizes; UNITS_AUTO: each has its own */
    struct plot_unit time_unit, size_unit;
};

struct plot_options {
    const char *title;   /* NULL: the command */
    bool slope, stacked; /* stacked: by the report's key */
    bool sum;            /* no lines for the single processes */
    size_t limit;        /* rows that are stacked */
    bool windowed;
    double from_s, to_s;
    enum units units;
    size_t points; /* the most to keep of a series */
};

enum plot_error {
    PLOT_OK = 0,
    PLOT_ERROR_MEMORY = -1,
    PLOT_ERROR_EMPTY = -2,  /* no sample */
    PLOT_ERROR_WINDOW = -3, /* no sample in the window */
    PLOT_ERROR_PROCESS = -4 /* no such process */
};

/* What there is to show of the processes that the report selects.  plot_free it in any case. */
enum plot_error plot_make(
    struct plot *plot, const struct report *report, const struct plot_options *options);
void plot_free(struct plot *plot);
/* How uncertain the live memory is at a time, bytes; 0 where all blocks are known. */
uint64_t plot_error_of(const struct plot *plot, uint64_t time_us);
/* "peak 42.7 MiB at 5.1 s", with its error if it has one. */
void plot_peak_text(const struct plot *plot, bool utf8, char text[PLOT_PEAK]);
/* Units for the axes, by what is shown; plot_make has chosen them for one plot alone. */
void plot_choose_units(struct plot *plot);

/* For plot_make: marks, regions, the limit, the slope, the stack. */
enum plot_error plot_add_extras(
    struct plot *plot, const struct report *report, const struct plot_options *options);

/* gnuplot scripts.  They need plots/style.gp with plots/timeline.gp or plots/overlay.gp, and
   plots/terminal.gp, after them. */
enum plot_format { PLOT_PNG, PLOT_SVG, PLOT_PDF };
void plot_image_script(
    FILE *script, const struct plot *plot, enum plot_format format, int width, int height);
/* Several in one picture, as lines. */
void plot_overlay_script(FILE *script, const struct plot *plots, size_t n, const char *title,
    enum plot_format format, int width, int height);
/* For these: the terminal of a format with its fonts, and a string constant. */
void plot_write_terminal(FILE *script, enum plot_format format, int width, int height);
void plot_write_string(FILE *script, const char *name, const char *text);
void plot_write_title(FILE *script, const char *title, int width, int height);
double plot_scale(int width, int height);
struct plot_terminal {
    int columns, rows;
    bool utf8, color;
};
void plot_terminal_script(
    FILE *script, const struct plot *plot, const struct plot_terminal *terminal);

/* The samples as they are in the traces, of the processes selected, within a window.  */
void plot_csv(
    FILE *out, const struct report *reports, size_t n, const struct plot_options *options);
void plot_json(FILE *out, const struct report *report, const struct plot_options *options);

#endif
