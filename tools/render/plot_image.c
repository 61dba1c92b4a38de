/*
 * The settings and the data of a picture, as a gnuplot script that
 * plots/timeline.gp completes.  Runs in reports.
 */
#include "render/plot.h"

#include <string.h>

#include "render/gnuplot.h"
#include "render/plot_words.h"

/* At a size of 11 points, in pixels; the pictures scale, these need only be near. */
enum { LINE_HEIGHT = 17, CHARACTER_WIDTH = 8, TITLE_WIDTH = 11, MARGINS = 110 };
#define PDF_RESOLUTION 136.0 /* makes its text as large as the others' */

/* A picture looks the same at all sizes, but for letters that nobody could read. */
static double scale_of(int width, int height)
{
    double scale = width / 1200.0 < height / 700.0 ? width / 1200.0 : height / 700.0;
    return scale < 0.6 ? 0.6 : scale;
}

static void write_terminal(FILE *script, enum plot_format format, int width, int height)
{
    double scale = scale_of(width, height), letters = format == PLOT_SVG ? 14 : 11;
    fprintf(script, "letters = 'sans%s,%.4g'\ntitle_letters = ',%.4g'\nscale = %.4g\n",
        format == PLOT_SVG ? "-serif" : "", letters * scale, letters * 1.36 * scale, scale);
    switch (format) {
    case PLOT_PNG:
        fprintf(script,
            "if (strstrt(GPVAL_TERMINALS, 'pngcairo')) {\n"
            "    set terminal pngcairo noenhanced size %d,%d background '#ffffff'\n"
            "} else {\n"
            "    set terminal png noenhanced truecolor size %d,%d\n"
            "}\n",
            width, height, width, height);
        break;
    case PLOT_SVG:
        fprintf(script, "set terminal svg noenhanced size %d,%d dynamic background '#ffffff'\n",
            width, height);
        break;
    case PLOT_PDF:
        fprintf(script,
            "if (!strstrt(GPVAL_TERMINALS, 'pdfcairo')) {\n"
            "    printerr 'this gnuplot cannot write PDF: apt-get install gnuplot-nox'\n"
            "    exit status 1\n"
            "}\n"
            "set terminal pdfcairo noenhanced size %.3fin,%.3fin\n",
            width / PDF_RESOLUTION, height / PDF_RESOLUTION);
        break;
    }
}

static void write_string(FILE *script, const char *name, const char *text)
{
    fprintf(script, "%s = ", name);
    gnuplot_string(script, text);
    putc('\n', script);
}

static void write_fitting(FILE *script, const char *name, const char *text, int most)
{
    char fitting[512];
    snprintf(fitting, sizeof fitting, "%s", text);
    plot_shorten(fitting, most < 8 ? 8 : (size_t)most);
    write_string(script, name, fitting);
}

/* A title for the legend: its name and a size after it. */
static void write_title(FILE *script, const char *name, const char *format, uint64_t bytes)
{
    char size[32], title[96];
    snprintf(title, sizeof title, format, plot_size(size, bytes));
    write_string(script, name, title);
}

static void write_titles(FILE *script, const struct plot *plot)
{
    const struct series_peak *peak = &plot->peak;
    bool several = plot->n_lines > 0;
    write_title(
        script, "rss_title", several ? "RSS of all, peak %s" : "RSS, peak %s", plot->max_rss);
    write_title(script, "native_title", plot->peak_split ? "native, %s at the peak" : "native",
        peak->native);
    write_title(script, "python_title", plot->peak_split ? "Python, %s at the peak" : "Python",
        peak->python);
    write_title(script, "mapped_title", "mapped, peak %s", plot->max_mapped);
}

static void write_peak(FILE *script, const struct plot *plot)
{
    const struct series_peak *peak = &plot->peak;
    char size[32], time[32], text[96];
    uint64_t live = peak->python + peak->native;
    snprintf(
        text, sizeof text, "peak %s at %s", plot_size(size, live), plot_time(time, peak->time_us));
    fprintf(script, "peak_shown = %d\npeak_x = %.6f\npeak_y = %.6f\n", peak->present,
        (double)peak->time_us / plot->time_unit.size, (double)live / plot->size_unit.size);
    write_string(script, "peak_text", text);
}

static void write_axes(FILE *script, const struct plot *plot)
{
    char label[64];
    snprintf(label, sizeof label, "time (%s)", plot->time_unit.name);
    write_string(script, "time_label", label);
    snprintf(label, sizeof label, "memory (%s)", plot->size_unit.name);
    write_string(script, "size_label", label);
    fprintf(script, "x_min = %.6f\nx_max = %.6f\ny_max = %.6f\n",
        (double)plot->from_us / plot->time_unit.size, (double)plot->to_us / plot->time_unit.size,
        (double)plot->top / plot->size_unit.size);
}

/* How many columns the legend can have. */
static int legend_columns(const struct plot *plot, int width)
{
    size_t longest = strlen("Python, 1023.9 MiB at the peak");
    for (size_t i = 0; i < plot->n_lines; i++)
        if (strlen(plot->lines[i].name) > longest)
            longest = strlen(plot->lines[i].name);
    int columns = (width - MARGINS) / (int)((longest + 6) * CHARACTER_WIDTH);
    return columns < 1 ? 1 : columns;
}

static void write_layout(FILE *script, const struct plot *plot, int width, int height)
{
    double scale = scale_of(width, height);
    int columns = legend_columns(plot, (int)(width / scale));
    int entries = 3 + plot->spikes_shown + plot->mapped_shown + (int)plot->n_lines;
    fprintf(script, "line = %.6f\nkey_columns = %d\nkey_rows = %d\n", LINE_HEIGHT * scale / height,
        columns, (entries + columns - 1) / columns);
}

static void write_samples(FILE *script, const struct plot *plot)
{
    double unit = plot->size_unit.size;
    fputs("$total << EOD\n", script);
    for (size_t i = 0; i < plot->total.count; i++) {
        const struct trace_sample *sample = &plot->total.samples[i];
        uint64_t live = series_live(sample);
        fprintf(script, "%.9g %.8g %.8g %.8g %.8g %.8g\n",
            (double)sample->time_us / plot->time_unit.size, (double)sample->python / unit,
            (double)sample->native / unit, (double)sample->rss / unit,
            (double)sample->mapped / unit,
            (double)(sample->high > live ? sample->high : live) / unit);
    }
    fputs("EOD\n", script);
}

static void write_lines(FILE *script, const struct plot *plot)
{
    fprintf(script, "processes = %zu\narray process_titles[%d]\n", plot->n_lines, PLOT_LINES);
    for (size_t i = 0; i < plot->n_lines; i++) {
        fprintf(script, "process_titles[%zu] = ", i + 1);
        gnuplot_string(script, plot->lines[i].name);
        putc('\n', script);
    }
    fputs("$processes << EOD\n", script);
    for (size_t i = 0; i < plot->n_lines; i++) {
        const struct series *series = &plot->lines[i].series;
        for (size_t j = 0; j < series->count; j++)
            fprintf(script, "%.9g %.8g\n",
                (double)series->samples[j].time_us / plot->time_unit.size,
                (double)series->samples[j].rss / plot->size_unit.size);
        fputs(series->count ? "\n\n" : "-1 -1\n\n\n", script);
    }
    fputs("EOD\n", script);
}

void plot_image_script(
    FILE *script, const struct plot *plot, enum plot_format format, int width, int height)
{
    write_terminal(script, format, width, height);
    write_fitting(script, "title_text", plot->title,
        (int)(width / scale_of(width, height) - MARGINS) / TITLE_WIDTH);
    write_string(script, "subtitle_text", plot->subtitle);
    write_axes(script, plot);
    write_layout(script, plot, width, height);
    write_titles(script, plot);
    write_peak(script, plot);
    fprintf(
        script, "mapped_shown = %d\nspikes_shown = %d\n", plot->mapped_shown, plot->spikes_shown);
    write_lines(script, plot);
    write_samples(script, plot);
}
