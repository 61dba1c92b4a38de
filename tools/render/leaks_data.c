/*
 * `leaks` for programs: JSON of schema 1 and CSV, described in memtrace-leaks(1).
 * Runs in the tools.
 */
#include "render/gap.h"
#include "render/leaks.h"

#include <math.h>
#include <stdio.h>

#include "render/json.h"
#include "render/moments.h"
#include "render/parts_csv.h"
#include "render/parts_json.h"
#include "render/top.h"
#include "trace/processes.h"

static double per_mark(const struct leaks *leaks, const struct leak *leak)
{
    double seconds = (double)(leaks->end_us - leaks->warm_up_us) / 1e6;
    return leak->size_per_s * seconds / (double)leaks->marks;
}

static void put_history(struct json *json, const struct cohort_row *row)
{
    json_open(json, "history", '[');
    for (size_t p = 0; p < row->n_points; p++) {
        json_open(json, NULL, '{');
        json_seconds(json, "seconds", (double)row->points[p].time_us / 1e6);
        json_number(json, "size", row->points[p].size);
        json_number(json, "count", row->points[p].count);
        json_number(json, "old_size", row->points[p].old_size);
        json_number(json, "old_count", row->points[p].old_count);
        json_close(json, '}');
    }
    json_close(json, ']');
}

static void put_row(struct json *json, const struct leaks_report *shown, const struct leak *leak)
{
    const struct leaks *leaks = shown->leaks;
    const struct view *view = &leaks->view;
    const struct view_row *row = leak->row < view->n_rows ? &view->rows[leak->row] : NULL;
    json_open(json, NULL, '{');
    if (row)
        json_row_name(json, shown->report, row);
    else
        json_name(json, "name", top_rest_names[leak->row - view->n_rows]);
    json_number(json, "size", leak->size);
    json_number(json, "count", leak->count);
    if (json->samples)
        json_number(json, "size_error", leaks_size_error(leaks, leak));
    json_number(json, "allocated", leak->allocated);
    json_number(json, "allocations", leak->allocations);
    json_number(json, "kept", leak->kept);
    json_number(json, "kept_count", leak->kept_count);
    if (leak->stopped_us)
        json_seconds(json, "stopped", (double)leak->stopped_us / 1e6);
    else {
        json_seconds(json, "size_per_second", leak->size_per_s);
        json_seconds(json, "count_per_second", leak->count_per_s);
        json_seconds(json, "oldest_seconds", (double)leak->oldest_us / 1e6);
        if (leaks->marks)
            json_seconds(json, "size_per_mark", per_mark(leaks, leak));
    }
    put_history(json, leak->history);
    if (row && row->node && view->options->key != VIEW_TRACEBACK)
        json_traceback(json, shown->report, shown->report->trace.sites[row->site].node);
    json_close(json, '}');
}

static void put_warm_up(struct json *json, const struct leaks_report *shown)
{
    json_open(json, "warm_up", '{');
    json_seconds(json, "seconds", (double)shown->leaks->warm_up_us / 1e6);
    json_flag(json, "found", !shown->options->warm_up_given);
    json_close(json, '}');
}

void leaks_json(FILE *file, const struct leaks_report *shown)
{
    struct json json = {.file = file};
    const struct leaks *leaks = shown->leaks;
    const struct view *view = &leaks->view;
    json_open(&json, NULL, '{');
    json_number(&json, "schema", 1);
    json_name(&json, "trace", view->trace->path);
    gap_json(&json, view->trace);
    json_command(&json, view->trace, process_of_interest(view->trace, view->processes));
    json_moments(&json, view);
    json_sampling(&json, shown->report);
    put_warm_up(&json, shown);
    json_flag(&json, "too_short", leaks->short_trace);
    if (shown->options->per) {
        json_name(&json, "per", shown->options->per);
        json_number(&json, "marks", (int64_t)leaks->marks);
    }
    json_name(&json, "key", view_key_names[view->options->key]);
    json_open(&json, "growing", '[');
    for (size_t i = 0; i < leaks_shown(shown); i++)
        put_row(&json, shown, &leaks->growing[i]);
    json_close(&json, ']');
    json_number(&json, "other", (int64_t)(leaks->n_growing - leaks_shown(shown)));
    json_open(&json, "stopped", '[');
    for (size_t i = 0; i < leaks->n_stopped; i++)
        put_row(&json, shown, &leaks->stopped[i]);
    json_close(&json, ']');
    json_close(&json, '}');
}

static void csv_decimal(struct csv *csv, double number)
{
    char text[40];
    snprintf(text, sizeof text, "%.6g", number);
    csv_text(csv, text);
}

static void csv_leak(struct csv *csv, const struct leaks_report *shown, const struct leak *leak)
{
    const struct leaks *leaks = shown->leaks;
    const struct view *view = &leaks->view;
    csv_text(csv, leak->stopped_us ? "stopped" : "growing");
    if (leak->row < view->n_rows)
        csv_row_name(csv, shown->report, &view->rows[leak->row]);
    else
        csv_rest_name(csv, view->options->key, (enum view_rest)(leak->row - view->n_rows));
    csv_number(csv, leak->size);
    csv_number(csv, leak->count);
    csv_number(csv, leak->allocated);
    csv_number(csv, leak->kept);
    if (csv->samples)
        csv_number(csv, leaks_size_error(leaks, leak));
    csv_decimal(csv, leak->size_per_s);
    if (leaks->marks)
        csv_decimal(csv, leak->stopped_us ? 0 : per_mark(leaks, leak));
    csv_decimal(csv, (double)(leak->stopped_us ? leak->stopped_us : leak->oldest_us) / 1e6);
    csv_end_line(csv);
}

void leaks_csv(FILE *file, const struct leaks_report *shown)
{
    struct csv csv = {.file = file, .samples = report_samples(shown->report)};
    const struct leaks *leaks = shown->leaks;
    csv_text(&csv, "kind");
    csv_key_columns(&csv, leaks->view.options->key);
    static const char *const amounts[] = {"size", "count", "allocated", "kept"};
    for (size_t i = 0; i < sizeof amounts / sizeof *amounts; i++)
        csv_text(&csv, amounts[i]);
    if (csv.samples)
        csv_text(&csv, "size_error");
    csv_text(&csv, "size_per_second");
    if (leaks->marks)
        csv_text(&csv, "size_per_mark");
    csv_text(&csv, "oldest_or_stopped_seconds");
    csv_end_line(&csv);
    for (size_t i = 0; i < leaks_shown(shown); i++)
        csv_leak(&csv, shown, &leaks->growing[i]);
    for (size_t i = 0; i < leaks->n_stopped; i++)
        csv_leak(&csv, shown, &leaks->stopped[i]);
}
