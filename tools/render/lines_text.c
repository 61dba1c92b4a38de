/*
 * `lines` for people.  Runs in the tools.
 */
#include "render/lines.h"

#include <stdlib.h>
#include <string.h>

#include "render/escape.h"
#include "render/fit.h"
#include "render/look.h"
#include "render/output.h"
#include "render/top.h"
#include "trace/source.h"

enum {
    SPARKS = 12,
    ERROR_COLUMN = 7,
    WIDE = 110,      /* on a narrower terminal two columns are left out, for the source */
    LEAST_WIDTH = 72 /* of a terminal that lines are cut for */
};

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t highest(const struct line_file *file)
{
    int64_t high = 0;
    for (size_t i = 0; i < file->n_lines; i++)
        high = most(high, file->lines[i].peak);
    return high;
}

bool lines_matters(
    const struct lines_report *about, const struct line_file *file, const struct line *line)
{
    return (double)line->peak >= about->threshold * (double)highest(file) && line->peak > 0;
}

/* ---- one line over time ---- */

/* What it held at a time: at the last boundary before. */
static int64_t value_at(const struct lines *lines, const struct line *line, uint64_t time_us)
{
    int64_t value = 0;
    for (size_t i = 0; i < lines->n_times && lines->times_us[i] <= time_us; i++)
        value = line->series[i];
    return value;
}

static void print_spark(FILE *file, const struct look *look, int64_t value, int64_t peak)
{
    static const char *const blocks[] = {" ", "\xe2\x96\x81", "\xe2\x96\x82", "\xe2\x96\x83",
        "\xe2\x96\x84", "\xe2\x96\x85", "\xe2\x96\x86", "\xe2\x96\x87", "\xe2\x96\x88"};
    static const char *const letters[] = {" ", "_", ".", "-", "=", "+", "*", "%", "#"};
    int level = value <= 0 ? 0 : peak <= value ? 8 : 1 + (int)(7 * (double)value / (double)peak);
    fputs(look->utf8 ? blocks[level] : letters[level], file);
}

static void print_sparkline(
    FILE *file, const struct lines_report *about, const struct look *look, const struct line *line)
{
    const struct lines *lines = about->lines;
    uint64_t end = lines->n_times ? lines->times_us[lines->n_times - 1] : 0;
    for (int i = 1; i <= SPARKS; i++)
        print_spark(file, look, value_at(lines, line, end * (uint64_t)i / SPARKS), line->peak);
}

/* ---- columns ---- */

/* Of a trace of samples: " ±0.4", of which some characters are more than one byte. */
static void print_error_column(
    FILE *file, const struct lines_report *about, const struct view_amount *amount)
{
    const struct trace *trace = &about->report->trace;
    char error[FORMAT_SIZE];
    if (!trace->sample_bytes)
        return;
    format_error(error, view_size_error(trace, amount), amount->size, about->report->options.units);
    fprintf(file, "%-*s", ERROR_COLUMN + (error[0] && output_utf8()), error);
}

static int error_column(const struct lines_report *about)
{
    return about->report->trace.sample_bytes ? ERROR_COLUMN : 0;
}

static bool is_narrow(const struct look *look)
{
    return look->width >= LEAST_WIDTH && look->width < WIDE;
}

static void print_heading_of_columns(
    FILE *file, const struct lines_report *about, const struct look *look)
{
    fprintf(file, "%10s%*s %10s", "live", error_column(about), "", "peak");
    if (is_narrow(look))
        fprintf(file, " %9s %7s  %6s\n", "blocks", "native", "line");
    else
        fprintf(file, " %10s %9s %7s  %-*s %6s\n", "allocated", "blocks", "native", SPARKS,
            "over time", "line");
}

static void print_amounts(FILE *file, const struct lines_report *about, const struct look *look,
    const struct line_file *of, const struct line *line)
{
    enum units units = about->report->options.units;
    const struct view_amount *amount = &line->row->amount;
    char live[FORMAT_SIZE], peak[FORMAT_SIZE], allocated[FORMAT_SIZE], blocks[FORMAT_SIZE];
    char native[16] = "";
    enum paint paint =
        look_heat(of->amount.size ? (double)amount->size / (double)of->amount.size : 0);
    if (amount->native && amount->size)
        snprintf(
            native, sizeof native, "%.0f%%", 100 * (double)amount->native / (double)amount->size);
    fprintf(file, "%s%10s%s", look_paint(look, paint), format_size(live, amount->size, units),
        look_end(look, paint));
    print_error_column(file, about, amount);
    fprintf(file, " %10s", format_size(peak, line->peak, units));
    if (!is_narrow(look))
        fprintf(file, " %10s", format_size(allocated, amount->allocated, units));
    fprintf(file, " %9s %7s ", format_count(blocks, amount->count), native);
    if (is_narrow(look))
        return;
    fputc(' ', file);
    print_sparkline(file, about, look, line);
}

static void print_blank(FILE *file, const struct lines_report *about, const struct look *look)
{
    int more = is_narrow(look) ? 0 : 11 + 1 + SPARKS;
    fprintf(file, "%*s", 10 + error_column(about) + 11 + 10 + 8 + 1 + more, "");
}

static void print_source(
    FILE *file, uint32_t number, const char *text, size_t size, const char *note)
{
    fprintf(file, " %6u%s", number, text && size ? "  " : "");
    if (text)
        print_escaped(file, text, size);
    if (note)
        fprintf(file, "    (%s)", note);
    fputc('\n', file);
}

/* "2.4 GiB touched", or none. */
static const char *touched_note(
    char note[FORMAT_SIZE], const struct lines_report *about, const struct line *line)
{
    const struct view_amount *amount = &line->row->amount;
    format_touched(note, amount->size, amount->untouched, about->report->options.units);
    return *note ? note + 2 : NULL;
}

/* ---- files ---- */

/* The lines that matter; "..." where lines between them are left out. */
static void print_lines(FILE *file, const struct lines_report *about, const struct look *look,
    const struct line_file *of)
{
    char note[FORMAT_SIZE];
    for (size_t i = 0; i < of->n_lines; i++) {
        const struct line *line = &of->lines[i];
        if (!about->all && !lines_matters(about, of, line))
            continue;
        struct source_text source = sources_of_node(about->report->sources, line->row->node);
        print_amounts(file, about, look, of, line);
        print_source(file, line->line, source.text, source.size,
            source.note ? source.note : touched_note(note, about, line));
    }
}

/* Every line of a file that is here. */
static void print_file(FILE *file, const struct lines_report *about, const struct look *look,
    const struct line_file *of, struct source *source)
{
    size_t at = 0;
    for (uint32_t number = 1; number <= source_count(source); number++) {
        while (at < of->n_lines && of->lines[at].line < number)
            at++;
        bool has = at < of->n_lines && of->lines[at].line == number;
        struct source_text known = {0};
        char note[FORMAT_SIZE];
        size_t size = 0;
        if (has) {
            known = sources_of_node(about->report->sources, of->lines[at].row->node);
            known.note = known.note ? known.note : touched_note(note, about, &of->lines[at]);
            print_amounts(file, about, look, of, &of->lines[at]);
        } else
            print_blank(file, about, look);
        const char *text = source_indented(source, number, &size);
        print_source(file, number, text, size, known.note);
    }
}

static void print_left_out(FILE *file, const struct lines_report *about, const struct line_file *of)
{
    char size[FORMAT_SIZE];
    int64_t sum = 0;
    size_t n = 0;
    for (size_t i = 0; i < of->n_lines; i++) {
        if (about->all || lines_matters(about, of, &of->lines[i]))
            continue;
        sum += of->lines[i].row->amount.size;
        n++;
    }
    if (n)
        fprintf(file, "%10s  in %zu other line%s: --all shows them\n",
            format_size(size, sum, about->report->options.units), n, n == 1 ? "" : "s");
}

static void print_whole_file(FILE *file, const struct lines_report *about, const struct look *look,
    const struct line_file *of)
{
    char size[FORMAT_SIZE], error[FORMAT_SIZE], blocks[FORMAT_SIZE];
    const struct view *view = &about->lines->view;
    struct source *source = about->all ? sources_file(about->report->sources, of->name) : NULL;
    fputc('\n', file);
    print_name(file, report_path(about->report, of->name));
    fprintf(file, ": %s%s, %.1f%% in %s block%s\n",
        format_total(size, of->amount.size, about->report->options.units),
        format_total_error(error, view_size_error(view->trace, &of->amount), of->amount.size,
            about->report->options.units),
        view->total.size ? 100 * (double)of->amount.size / (double)view->total.size : 0,
        format_count(blocks, of->amount.count), of->amount.count == 1 ? "" : "s");
    print_heading_of_columns(file, about, look);
    if (source)
        print_file(file, about, look, of, source);
    else
        print_lines(file, about, look, of);
    if (about->all && !source)
        fputs(
            "the file is not here: only lines that the trace knows of (--source FROM=TO)\n", file);
    print_left_out(file, about, of);
}

void lines_text(FILE *file, const struct lines_report *about)
{
    const struct lines *lines = about->lines;
    struct look look = look_of(file);
    print_heading(file, about->report, &lines->view);
    if (!lines->n_files)
        fputs("\nNo lines\n", file);
    FILE *rows = fit_open(file, look.width, LEAST_WIDTH);
    for (size_t i = 0; i < lines->n_files; i++)
        print_whole_file(rows, about, &look, &lines->files[i]);
    fit_close(rows, file);
    if (lines->n_left_out)
        fprintf(file, "\n%zu other file%s: name one, or give --limit\n", lines->n_left_out,
            lines->n_left_out == 1 ? "" : "s");
}
