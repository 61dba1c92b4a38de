/*
 * The settings and the data of a picture, as a gnuplot script that
 * plots/timeline.gp completes.  Runs in reports.
 */
#include "render/plot.h"

#include <string.h>

#include "render/fit.h"
#include "render/gnuplot.h"
#include "render/plot_words.h"

/* At a size of 11 points, in pixels; the pictures scale, these need only be near. */
enum { STACK_WORDS = 19 }; /* of ', up to 1023.9 MiB' */
enum { LINE_HEIGHT = 17, CHARACTER_WIDTH = 8, TITLE_WIDTH = 11, MARGINS = 110 };
enum { LEGEND_WIDTH = 9 };   /* of a character, as gnuplot reckons where it is to put a legend */
#define PDF_RESOLUTION 136.0 /* makes its text as large as the others' */

/* A picture looks the same at all sizes, but for letters that nobody could read. */
double plot_scale(int width, int height)
{
    double scale = width / 1200.0 < height / 700.0 ? width / 1200.0 : height / 700.0;
    return scale < 0.6 ? 0.6 : scale;
}

void plot_write_terminal(FILE *script, enum plot_format format, int width, int height)
{
    double scale = plot_scale(width, height), letters = format == PLOT_SVG ? 14 : 11;
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

void plot_write_string(FILE *script, const char *name, const char *text)
{
    fprintf(script, "%s = ", name);
    gnuplot_string(script, text);
    putc('\n', script);
}

void plot_write_title(FILE *script, const char *title, int width, int height)
{
    char fitting[512];
    int most = (int)(width / plot_scale(width, height) - MARGINS) / TITLE_WIDTH;
    snprintf(fitting, sizeof fitting, "%s", title);
    plot_shorten(fitting, most < 8 ? 8 : (size_t)most);
    plot_write_string(script, "title_text", fitting);
}

/* A title for the legend: its name and a size after it. */
static void write_title(
    FILE *script, const struct plot *plot, const char *name, const char *format, uint64_t bytes)
{
    char size[32], title[96];
    snprintf(title, sizeof title, format, plot_size(size, bytes, plot->units));
    plot_write_string(script, name, title);
}

static void write_titles(FILE *script, const struct plot *plot)
{
    const struct series_peak *peak = &plot->peak;
    bool several = plot->n_lines > 0;
    write_title(script, plot, "rss_title",
        plot->proportional ? "PSS of all, peak %s"
        : several          ? "RSS of all added up, peak %s"
                           : "RSS, peak %s",
        plot->max_rss);
    write_title(script, plot, "native_title",
        plot->peak_split ? "native, %s at the peak" : "native", peak->native);
    write_title(script, plot, "python_title",
        plot->peak_split ? "Python, %s at the peak" : "Python", peak->python);
    write_title(script, plot, "mapped_title", "mapped, peak %s", plot->max_mapped);
}

static void write_peak(FILE *script, const struct plot *plot)
{
    const struct series_peak *peak = &plot->peak;
    char text[PLOT_PEAK];
    uint64_t live = peak->python + peak->native;
    plot_peak_text(plot, true, text);
    fprintf(script, "peak_shown = %d\npeak_x = %.6f\npeak_y = %.6f\n", peak->present,
        (double)peak->time_us / plot->time_unit.size, (double)live / plot->size_unit.size);
    plot_write_string(script, "peak_text", text);
}

static void write_axes(FILE *script, const struct plot *plot)
{
    char label[64];
    snprintf(label, sizeof label, "time (%s)", plot->time_unit.name);
    plot_write_string(script, "time_label", label);
    snprintf(label, sizeof label, "memory (%s)", plot->size_unit.name);
    plot_write_string(script, "size_label", label);
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
    for (size_t i = 0; i < plot->stack.n_rows; i++) {
        size_t name = fit_columns(plot->stack_names[i], strlen(plot->stack_names[i]));
        longest = name + STACK_WORDS > longest ? name + STACK_WORDS : longest;
    }
    int columns = (width - MARGINS) / (int)((longest + 6) * LEGEND_WIDTH);
    return columns < 1 ? 1 : columns;
}

static void write_layout(FILE *script, const struct plot *plot, int width, int height)
{
    double scale = plot_scale(width, height);
    int columns = legend_columns(plot, (int)(width / scale));
    int entries =
        3 + (plot->errors.count > 0) + plot->spikes_shown + plot->mapped_shown + (int)plot->n_lines;
    if (plot->stacked)
        entries = 2 + (plot->errors.count > 0) + (int)plot->stack.n_rows;
    if (columns > entries)
        columns = entries;
    fprintf(script, "line = %.6f\nkey_columns = %d\nkey_rows = %d\n", LINE_HEIGHT * scale / height,
        columns, (entries + columns - 1) / columns);
}

static void write_samples(FILE *script, const struct plot *plot)
{
    double unit = plot->size_unit.size;
    fputs("$total << EOD\n", script);
    for (size_t i = 0; i < plot->total.count; i++) {
        const struct trace_sample *sample = &plot->total.samples[i];
        uint64_t live = series_live(sample), error = plot_error_of(plot, sample->time_us);
        fprintf(script, "%.9g %.8g %.8g %.8g %.8g %.8g",
            (double)sample->time_us / plot->time_unit.size, (double)sample->python / unit,
            (double)sample->native / unit, (double)sample->rss / unit,
            (double)sample->mapped / unit,
            (double)(sample->high > live ? sample->high : live) / unit);
        if (plot->errors.count)
            fprintf(script, " %.8g %.8g", (double)(live > error ? live - error : 0) / unit,
                (double)(live + error) / unit);
        putc('\n', script);
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

static double time_in_unit(const struct plot *plot, uint64_t time_us)
{
    return (double)time_us / plot->time_unit.size;
}

static double pixels_between(const struct plot *plot, uint64_t a, uint64_t b, int width)
{
    double part = ((double)b - (double)a) / (double)(plot->to_us - plot->from_us);
    return part * (width / plot_scale(width, width) - MARGINS);
}

/* Of marks that are close together only the first is named. */
static void write_marks(FILE *script, const struct plot *plot, int width)
{
    uint64_t named = 0;
    bool any = false;
    fprintf(script, "marks = %zu\narray mark_x[%d]\narray mark_text[%d]\n", plot->n_marks,
        PLOT_MARKS, PLOT_MARKS);
    for (size_t i = 0; i < plot->n_marks; i++) {
        const struct plot_mark *mark = &plot->marks[i];
        bool shown = !any || pixels_between(plot, named, mark->time_us, width) > LINE_HEIGHT;
        fprintf(script, "mark_x[%zu] = %.9g\nmark_text[%zu] = ", i + 1,
            time_in_unit(plot, mark->time_us), i + 1);
        gnuplot_string(script, shown ? mark->name : "");
        putc('\n', script);
        if (shown)
            named = mark->time_us;
        any = true;
    }
}

static uint64_t clip(const struct plot *plot, uint64_t time_us)
{
    return time_us < plot->from_us ? plot->from_us : time_us > plot->to_us ? plot->to_us : time_us;
}

/* "load, 1.2 s": as much of it as there is room for. */
static void write_band_text(
    FILE *script, const struct plot *plot, const struct plot_band *band, int width)
{
    char text[PLOT_NAME + 40], time[32];
    uint64_t from = clip(plot, band->from_us), to = clip(plot, band->to_us);
    double room = (pixels_between(plot, from, to, width) - 6) / CHARACTER_WIDTH;
    snprintf(text, sizeof text, "%s, %s", band->name, plot_time(time, band->to_us - band->from_us));
    if (room < (double)strlen(text))
        snprintf(text, sizeof text, "%s", band->name);
    if (room < 3 || band->crowded)
        text[0] = 0;
    else if (room < (double)strlen(text))
        plot_shorten(text, room < 6 ? 6 : (size_t)room);
    gnuplot_string(script, room < (double)strlen(text) ? "" : text);
}

static void write_bands(FILE *script, const struct plot *plot, int width, int height)
{
    static const char *const fields[] = {"from", "to", "lane", "color", "text"};
    fprintf(script, "bands = %zu\nlanes = %u\n", plot->n_bands, plot->n_lanes);
    for (size_t f = 0; f < sizeof fields / sizeof *fields; f++)
        fprintf(script, "array band_%s[%d]\n", fields[f], PLOT_BANDS);
    for (size_t i = 0; i < plot->n_bands; i++) {
        const struct plot_band *band = &plot->bands[i];
        fprintf(script,
            "band_from[%zu] = %.9g\nband_to[%zu] = %.9g\nband_lane[%zu] = %u\n"
            "band_color[%zu] = %u\nband_text[%zu] = ",
            i + 1, time_in_unit(plot, clip(plot, band->from_us)), i + 1,
            time_in_unit(plot, clip(plot, band->to_us)), i + 1, band->lane, i + 1,
            band->color % 6 + 1, i + 1);
        write_band_text(script, plot, band, width);
        putc('\n', script);
    }
}

static void write_limit(FILE *script, const struct plot *plot)
{
    char size[32], text[64];
    snprintf(text, sizeof text, "limit %s", plot_size(size, plot->limit, plot->units));
    fprintf(script, "limit = %.8g\n", (double)plot->limit / plot->size_unit.size);
    plot_write_string(script, "limit_text", text);
}

static void write_slope(FILE *script, const struct plot *plot)
{
    const struct series_slope *slope = &plot->slope;
    double mib = 60 / 1048576.0, unit = plot->size_unit.size;
    double seconds = (double)(slope->to_us - slope->from_us) / 1e6;
    char text[96];
    snprintf(text, sizeof text, "RSS %+.3g MiB/min, live %+.3g MiB/min", slope->rss * mib,
        slope->live * mib);
    fprintf(script, "slope_shown = %d\n", slope->present);
    plot_write_string(script, "slope_text", text);
    fprintf(script, "slope_from = %.9g\nslope_to = %.9g\n", time_in_unit(plot, slope->from_us),
        time_in_unit(plot, slope->to_us));
    fprintf(script,
        "slope_rss_from = %.8g\nslope_rss_to = %.8g\nslope_live_from = %.8g\n"
        "slope_live_to = %.8g\n",
        slope->rss_start / unit, (slope->rss_start + slope->rss * seconds) / unit,
        slope->live_start / unit, (slope->live_start + slope->live * seconds) / unit);
}

static int64_t most_of(const struct stack *stack, size_t row)
{
    int64_t most = 0;
    for (size_t p = 0; p < stack->n_points; p++)
        if (stack->values[p * stack->n_rows + row] > most)
            most = stack->values[p * stack->n_rows + row];
    return most;
}

/* For each sample the tops of the rows, the biggest row the lowest; what is above live memory,
   which alone is exact, is cut off. */
static void write_stack_data(FILE *script, const struct plot *plot)
{
    const struct stack *stack = &plot->stack;
    fputs("$stack << EOD\n", script);
    for (size_t i = 0; i < plot->total.count; i++) {
        const struct trace_sample *sample = &plot->total.samples[i];
        double live = (double)series_live(sample), top = 0;
        fprintf(script, "%.9g", time_in_unit(plot, sample->time_us));
        for (size_t r = 0; r < stack->n_rows; r++) {
            top += stack_value(stack, r, sample->time_us);
            fprintf(script, " %.8g", (top < live ? top : live) / plot->size_unit.size);
        }
        putc('\n', script);
    }
    fputs("EOD\n", script);
}

static void write_stack(FILE *script, const struct plot *plot)
{
    const struct stack *stack = &plot->stack;
    char size[32], text[PLOT_ROW_NAME + 40];
    fprintf(script, "stacked = %zu\narray stack_titles[%d]\n", plot->stacked ? stack->n_rows : 0,
        PLOT_STACKED);
    for (size_t r = 0; r < stack->n_rows; r++) {
        snprintf(text, sizeof text, "%s, up to %s", plot->stack_names[r],
            plot_size(size, (uint64_t)most_of(stack, r), plot->units));
        fprintf(script, "stack_titles[%zu] = ", r + 1);
        gnuplot_string(script, text);
        putc('\n', script);
    }
    snprintf(text, sizeof text, "%zu other%s, start-up", stack->n_others,
        stack->n_others == 1 ? "" : "s");
    plot_write_string(script, "others_title", stack->n_others ? text : "all else");
    if (stack->n_rows)
        write_stack_data(script, plot);
}

void plot_image_script(
    FILE *script, const struct plot *plot, enum plot_format format, int width, int height)
{
    plot_write_terminal(script, format, width, height);
    plot_write_title(script, plot->title, width, height);
    plot_write_string(script, "subtitle_text", plot->subtitle);
    write_axes(script, plot);
    write_layout(script, plot, width, height);
    write_titles(script, plot);
    write_peak(script, plot);
    fprintf(script, "mapped_shown = %d\nspikes_shown = %d\nerrors_shown = %d\n", plot->mapped_shown,
        plot->spikes_shown, plot->errors.count > 0);
    write_marks(script, plot, width);
    write_bands(script, plot, width, height);
    write_limit(script, plot);
    write_slope(script, plot);
    write_stack(script, plot);
    write_lines(script, plot);
    write_samples(script, plot);
}
