/*
 * A plot of characters, as a gnuplot script that plots/terminal.gp completes.
 * Runs in reports.  gnuplot's dumb terminal cannot fill an area: it is given
 * the cells, by the values at their centres.
 */
#include "render/plot.h"

#include <math.h>
#include <string.h>

#include "render/gnuplot.h"
#include "render/plot_notes.h"
#include "render/plot_words.h"

enum { LEFT = 9, RIGHT = 2, TOP = 4, BOTTOM = 3, LEAST_ROWS = 8 }; /* margins in characters */

struct grid {
    const struct plot *plot;
    int columns, rows; /* of the plotted area with its axes, which are column 0 and row 0 */
};

struct column {
    int python, live, high, rss;
}; /* rows that they reach */

static double time_of(const struct grid *grid, double column)
{
    const struct plot *plot = grid->plot;
    return (double)plot->from_us +
           column * (double)(plot->to_us - plot->from_us) / (grid->columns - 1);
}

static int row_of(const struct grid *grid, uint64_t bytes)
{
    return (int)lround((double)bytes * (grid->rows - 1) / (double)grid->plot->top);
}

static int column_of(const struct grid *grid, uint64_t time_us)
{
    const struct plot *plot = grid->plot;
    return (int)lround((double)(time_us - plot->from_us) * (grid->columns - 1) /
                       (double)(plot->to_us - plot->from_us));
}

/* The most there was in the time that a column stands for; between samples, what lies between. */
static struct trace_sample highest(const struct grid *grid, int column, size_t *at)
{
    const struct series *series = &grid->plot->total;
    double from = time_of(grid, column - 0.5), to = time_of(grid, column + 0.5);
    struct trace_sample most = {0};
    bool found = false;
    while (*at < series->count && (double)series->samples[*at].time_us < from)
        ++*at;
    for (; *at < series->count && (double)series->samples[*at].time_us < to; ++*at) {
        struct trace_sample sample = series->samples[*at];
        uint64_t rss = sample.rss > most.rss ? sample.rss : most.rss;
        uint64_t high = sample.high > most.high ? sample.high : most.high;
        if (!found || series_live(&sample) > series_live(&most))
            most = sample;
        most.rss = rss;
        most.high = high;
        found = true;
    }
    if (!found && *at > 0 && *at < series->count)
        most = series_between(
            &series->samples[*at - 1], &series->samples[*at], (uint64_t)time_of(grid, column));
    return most;
}

static struct column column_at(const struct grid *grid, int column, size_t *at)
{
    struct trace_sample sample = highest(grid, column, at);
    return (struct column){
        .python = row_of(grid, sample.python),
        .live = row_of(grid, series_live(&sample)),
        .high = row_of(grid, sample.high),
        .rss = row_of(grid, sample.rss),
    };
}

/* One cell of a block of data. */
static void write_cell(FILE *script, const struct grid *grid, int column, int row)
{
    fprintf(script, "%.9g %.9g\n", time_of(grid, column) / grid->plot->time_unit.size,
        (double)row * (double)grid->plot->top / (grid->rows - 1) / grid->plot->size_unit.size);
}

enum layer { PYTHON, NATIVE, SPIKES, RSS, LAYERS };
static const char *const layer_names[LAYERS] = {"python", "native", "spikes", "rss"};

/* The rows of a layer in a column, the first and one after the last. */
static void rows_of(
    enum layer layer, const struct column *now, const struct column *before, int *from, int *to)
{
    switch (layer) {
    case PYTHON:
        *from = 1;
        *to = now->python + 1;
        break;
    case NATIVE:
        *from = now->python + 1;
        *to = now->live + 1;
        break;
    case SPIKES:
        *from = now->live + 1;
        *to = now->high + 1;
        break;
    default: /* a line: a jump is joined */
        *from = now->rss < before->rss ? now->rss : before->rss + 1;
        *to = now->rss + 1;
        if (*from > now->rss)
            *from = now->rss;
        if (now->rss < before->rss)
            *to = before->rss;
        break;
    }
}

static void write_layer(FILE *script, const struct grid *grid, enum layer layer)
{
    struct column before = {0};
    size_t at = 0, cells = 0;
    fprintf(script, "$%s << EOD\n", layer_names[layer]);
    for (int i = 0; i < grid->columns; i++) {
        struct column now = column_at(grid, i, &at);
        int from, to;
        if (i == 0 || !before.rss)
            before.rss = now.rss;
        rows_of(layer, &now, &before, &from, &to);
        for (int row = from > 1 ? from : 1; i > 0 && row < to && row < grid->rows; row++, cells++)
            write_cell(script, grid, i, row);
        before = now;
    }
    fputs(cells ? "EOD\n" : "-1 -1\nEOD\n", script); /* gnuplot needs a point, seen or not */
}

static void write_string(FILE *script, const char *name, const char *text)
{
    fprintf(script, "%s = ", name);
    gnuplot_string(script, text);
    putc('\n', script);
}

static void write_peak(FILE *script, const struct grid *grid, bool utf8)
{
    const struct series_peak *peak = &grid->plot->peak;
    uint64_t live = peak->python + peak->native;
    char text[PLOT_PEAK];
    plot_peak_text(grid->plot, utf8, text);
    write_string(script, "peak_text", text);
    int column = peak->present ? column_of(grid, peak->time_us) : 0;
    fprintf(script, "peak_shown = %d\npeak_x = %.9g\npeak_left = %d\n", peak->present,
        time_of(grid, column) / grid->plot->time_unit.size,
        column + (int)strlen(text) + 2 > grid->columns);
    fputs("$peak << EOD\n", script);
    for (int row = row_of(grid, live); peak->present && row < grid->rows; row++)
        write_cell(script, grid, column, row);
    fputs(peak->present ? "EOD\n" : "-1 -1\nEOD\n", script);
}

/* A line over the whole width; what is drawn later covers it. */
static void write_limit(FILE *script, const struct grid *grid)
{
    const struct plot *plot = grid->plot;
    char size[32], text[64];
    int row = plot->limit ? row_of(grid, plot->limit) : 0;
    snprintf(text, sizeof text, "limit %s ", plot_size(size, plot->limit, plot->units));
    write_string(script, "limit_text", plot->limit ? text : "");
    fprintf(script, "limit_shown = %d\nlimit_y = %.9g\n$limit << EOD\n", plot->limit > 0,
        (double)row * (double)plot->top / (grid->rows - 1) / plot->size_unit.size);
    for (int i = 1; plot->limit && i < grid->columns; i++)
        write_cell(script, grid, i, row);
    fputs(plot->limit ? "EOD\n" : "-1 -1\nEOD\n", script);
}

/* A text that fits, in ASCII where there is no more. */
static void write_heading(
    FILE *script, const char *name, const char *text, const struct plot_terminal *terminal)
{
    char shown[512];
    size_t size = 0;
    for (; *text && size < sizeof shown - 1; text++)
        if (terminal->utf8 || !(*text & 0x80))
            shown[size++] = *text;
        else if ((*text & 0xc0) != 0x80) /* one sign for each character */
            shown[size++] = '?';
    shown[size] = 0;
    plot_shorten(shown, (size_t)(terminal->columns - LEFT - RIGHT));
    write_string(script, name, shown);
}

static void write_settings(
    FILE *script, const struct grid *grid, const struct plot_terminal *terminal)
{
    const struct plot *plot = grid->plot;
    char label[64];
    fprintf(script, "set terminal dumb noenhanced %s size %d,%d aspect 1\n",
        terminal->color ? "ansi256" : "mono", terminal->columns, terminal->rows);
    write_heading(script, "title_text", plot->title, terminal);
    write_heading(script, "subtitle_text", plot->subtitle, terminal);
    snprintf(label, sizeof label, "time (%s)", plot->time_unit.name);
    write_string(script, "time_label", label);
    write_string(script, "size_unit", plot->size_unit.name);
    fprintf(script, "rows = %d\nutf8 = %d\n", terminal->rows, terminal->utf8);
    fprintf(script, "x_min = %.9g\nx_max = %.9g\ny_max = %.9g\n",
        (double)plot->from_us / plot->time_unit.size, (double)plot->to_us / plot->time_unit.size,
        (double)plot->top / plot->size_unit.size);
}

struct legend {
    char texts[LAYERS][64];
};

/* How much the legend says; the first that fits is taken. */
enum form { WHOLE, SHORT, RSS_ONLY, NAMES };

static void name_with_peak(
    char text[64], const struct plot *plot, const char *name, uint64_t bytes, enum form form)
{
    char size[32];
    snprintf(text, 64, "%s%s%s%s", name, form <= SHORT ? " " : "",
        form <= SHORT ? plot_size(size, bytes, plot->units) : "", form == WHOLE ? " at peak" : "");
}

static void fill_legend(struct legend *legend, const struct plot *plot, enum form form)
{
    enum form areas = plot->peak_split ? form : NAMES;
    char size[32];
    name_with_peak(legend->texts[PYTHON], plot, "Python", plot->peak.python, areas);
    name_with_peak(legend->texts[NATIVE], plot, "native", plot->peak.native, areas);
    snprintf(legend->texts[SPIKES], 64, "between samples");
    bool added = plot->n_lines && !plot->proportional && form <= SHORT;
    snprintf(legend->texts[RSS], 64, "%s%s%s%s", plot->proportional ? "PSS" : "RSS",
        added ? " added up" : "",
        form <= SHORT      ? ", peak "
        : form == RSS_ONLY ? " "
                           : "",
        form <= RSS_ONLY ? plot_size(size, plot->max_rss, plot->units) : "");
}

enum { SIGN_WIDTH = 2, GAP = 3 }; /* of an entry: the sign before its words, the blanks after */

static int legend_width(const struct legend *legend)
{
    int width = LEFT - GAP;
    for (enum layer layer = 0; layer < LAYERS; layer++)
        if (layer != SPIKES)
            width += (int)strlen(legend->texts[layer]) + SIGN_WIDTH + GAP;
    return width;
}

/* Signs and words one after the other from the left; what does not fit has no place. */
static void write_legend(
    FILE *script, const struct plot *plot, const struct plot_terminal *terminal)
{
    static const enum layer order[LAYERS] = {PYTHON, NATIVE, RSS, SPIKES};
    struct legend legend = {0};
    enum form form = WHOLE;
    int at = LEFT;
    fill_legend(&legend, plot, form);
    while (legend_width(&legend) > terminal->columns && form < NAMES)
        fill_legend(&legend, plot, ++form);
    for (int i = 0; i < LAYERS; i++) {
        const char *text = legend.texts[order[i]], *name = layer_names[order[i]];
        int end = at + SIGN_WIDTH + (int)strlen(text);
        bool left_out = order[i] == SPIKES && (!plot->spikes_shown || end > terminal->columns);
        fprintf(script, "%s_at = %d\n%s_", name, left_out ? 0 : at, name);
        write_string(script, "title", text);
        at = end + GAP;
    }
}

void plot_terminal_script(
    FILE *script, const struct plot *plot, const struct plot_terminal *terminal)
{
    struct grid grid = {plot, terminal->columns - LEFT - RIGHT, terminal->rows - TOP - BOTTOM};
    int notes = plot_notes_lines(plot, grid.rows - LEAST_ROWS);
    grid.rows -= notes;
    write_settings(script, &grid, terminal);
    fprintf(script, "notes = %d\n", notes);
    plot_notes_write(script, plot, terminal, LEFT, grid.columns, notes);
    write_legend(script, plot, terminal);
    write_peak(script, &grid, terminal->utf8);
    write_limit(script, &grid);
    for (enum layer layer = 0; layer < LAYERS; layer++)
        write_layer(script, &grid, layer);
}
