/*
 * `lines` for programs: described in memtrace-lines(1).  Runs in the tools.
 */
#include "render/lines.h"

#include "render/parts_csv.h"
#include "render/parts_json.h"

static void put_line(struct json *json, const struct lines_report *about, const struct line *line)
{
    struct source_text source = sources_of_node(about->report->sources, line->row->node);
    json_open(json, NULL, '{');
    json_number(json, "lineno", line->line);
    json_name(json, "function", report_function(about->report, line->row->node));
    if (source.text)
        json_text(json, "source", source.text, source.size);
    json_amount(json, &line->row->amount);
    json_number(json, "peak", line->peak);
    json_open(json, "series", '[');
    for (size_t i = 0; i < about->lines->n_times; i++)
        json_number(json, NULL, line->series[i]);
    json_close(json, ']');
    json_close(json, '}');
}

static bool is_shown(
    const struct lines_report *about, const struct line_file *file, const struct line *line)
{
    return about->all || lines_matters(about, file, line);
}

static void put_file(
    struct json *json, const struct lines_report *about, const struct line_file *file)
{
    json_open(json, NULL, '{');
    json_name(json, "filename", report_path(about->report, file->name));
    json_amount(json, &file->amount);
    json_open(json, "lines", '[');
    for (size_t i = 0; i < file->n_lines; i++)
        if (is_shown(about, file, &file->lines[i]))
            put_line(json, about, &file->lines[i]);
    json_close(json, ']');
    json_close(json, '}');
}

void lines_json(FILE *file, const struct lines_report *about)
{
    const struct lines *lines = about->lines;
    struct json json = {.file = file};
    json_begin_report(&json, about->report, &lines->view);
    json_open(&json, "times", '[');
    for (size_t i = 0; i < lines->n_times; i++)
        json_seconds(&json, NULL, (double)lines->times_us[i] / 1e6);
    json_close(&json, ']');
    json_open(&json, "files", '[');
    for (size_t i = 0; i < lines->n_files; i++)
        put_file(&json, about, &lines->files[i]);
    json_close(&json, ']');
    json_number(&json, "other_files", (int64_t)lines->n_left_out);
    json_excluded(&json, &lines->view);
    json_close(&json, '}');
}

void lines_csv(FILE *file, const struct lines_report *about)
{
    struct csv csv = {.file = file, .samples = report_samples(about->report)};
    csv_key_columns(&csv, VIEW_CALLER);
    csv_amount_columns(&csv);
    csv_text(&csv, "peak");
    csv_end_line(&csv);
    for (size_t f = 0; f < about->lines->n_files; f++) {
        const struct line_file *of = &about->lines->files[f];
        for (size_t i = 0; i < of->n_lines; i++) {
            if (!is_shown(about, of, &of->lines[i]))
                continue;
            csv_frame(&csv, about->report, of->lines[i].row->node);
            csv_amount(&csv, &of->lines[i].row->amount);
            csv_number(&csv, of->lines[i].peak);
            csv_end_line(&csv);
        }
    }
}
