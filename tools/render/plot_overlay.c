/*
 * Several traces in one picture, as a gnuplot script that plots/overlay.gp
 * completes.  Runs in reports.
 */
#include "render/plot.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "render/gnuplot.h"
#include "render/plot_words.h"

/* Of the legend, in pixels of a picture of the usual size and in letters. */
enum { MARGINS = 150, LETTER = 8, SIZES = 42, COMMAND = 30, LEAST_NAME = 24 };

static const char *file_name(const struct plot *plot)
{
    const char *slash = strrchr(plot->trace->path, '/');
    return slash ? slash + 1 : plot->trace->path;
}

static bool same_titles(const struct plot *plots, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (strcmp(plots[0].title, plots[i].title) != 0)
            return false;
    return true;
}

/* Bytes of a file's name that there is room for, beside the command. */
static size_t room_for_file(bool same, int width, int height)
{
    int letters = ((int)(width / plot_scale(width, height)) - MARGINS) / LETTER;
    int most = letters - SIZES - (same ? 0 : COMMAND + 3);
    return most < LEAST_NAME ? LEAST_NAME : (size_t)most;
}

/* The file if all ran the same command, else both; with the peaks. */
static void write_titles(FILE *script, const struct plot *plots, size_t n, int width, int height)
{
    bool same = same_titles(plots, n);
    size_t room = room_for_file(same, width, height);
    fprintf(script, "traces = %zu\narray trace_titles[%d]\n", n, PLOT_TRACES);
    for (size_t i = 0; i < n; i++) {
        char name[400], command[48], file[NAME_MAX + 1], rss[32], live[32];
        snprintf(command, sizeof command, "%s", plots[i].title);
        snprintf(file, sizeof file, "%s", file_name(&plots[i]));
        plot_shorten(command, COMMAND);
        plot_shorten_middle(file, room); /* runs are told by how they begin, or by how they end */
        snprintf(name, sizeof name, "%s%s%s%s: RSS up to %s, live %s", same ? "" : command,
            same ? "" : " (", file, same ? "" : ")",
            plot_size(rss, plots[i].max_rss, plots[i].units),
            plot_size(live, plots[i].max_live, plots[i].units));
        fprintf(script, "trace_titles[%zu] = ", i + 1);
        gnuplot_string(script, name);
        putc('\n', script);
    }
}

static void write_samples(FILE *script, const struct plot *plots, size_t n, const struct plot *axes)
{
    fputs("$traces << EOD\n", script);
    for (size_t i = 0; i < n; i++) {
        const struct series *series = &plots[i].total;
        for (size_t k = 0; k < series->count; k++)
            fprintf(script, "%.9g %.8g %.8g\n",
                (double)series->samples[k].time_us / axes->time_unit.size,
                (double)series->samples[k].rss / axes->size_unit.size,
                (double)series_live(&series->samples[k]) / axes->size_unit.size);
        fputs("\n\n", script);
    }
    fputs("EOD\n", script);
}

/* The axes hold all of them. */
static struct plot join(const struct plot *plots, size_t n)
{
    struct plot axes = {
        .trace = plots[0].trace, .from_us = plots[0].from_us, .units = plots[0].units};
    for (size_t i = 0; i < n; i++) {
        if (plots[i].to_us > axes.to_us)
            axes.to_us = plots[i].to_us;
        if (plots[i].max_rss > axes.top)
            axes.top = plots[i].max_rss;
        if (plots[i].max_live > axes.top)
            axes.top = plots[i].max_live;
    }
    axes.top += axes.top / 8 + 8;
    plot_choose_units(&axes);
    return axes;
}

static void write_axes(FILE *script, const struct plot *axes)
{
    char label[64];
    snprintf(label, sizeof label, "time since the start of each (%s)", axes->time_unit.name);
    plot_write_string(script, "time_label", label);
    snprintf(label, sizeof label, "memory (%s)", axes->size_unit.name);
    plot_write_string(script, "size_label", label);
    fprintf(script, "x_min = %.6f\nx_max = %.6f\ny_max = %.6f\n",
        (double)axes->from_us / axes->time_unit.size, (double)axes->to_us / axes->time_unit.size,
        (double)axes->top / axes->size_unit.size);
}

void plot_overlay_script(FILE *script, const struct plot *plots, size_t n, const char *title,
    enum plot_format format, int width, int height)
{
    struct plot axes = join(plots, n);
    char subtitle[64];
    plot_write_terminal(script, format, width, height);
    plot_write_title(script,
        title                   ? title
        : same_titles(plots, n) ? plots[0].title
                                : "several programs",
        width, height);
    snprintf(subtitle, sizeof subtitle, "%zu traces", n);
    plot_write_string(script, "subtitle_text", subtitle);
    write_axes(script, &axes);
    fprintf(script, "line = %.6f\nkey_columns = 1\nkey_rows = %zu\n",
        17 * plot_scale(width, height) / height, n + 2);
    write_titles(script, plots, n, width, height);
    write_samples(script, plots, n, &axes);
}
