/*
 * `diff` for programs: described in memtrace-diff(1).  Runs in the tools.
 */
#include "render/diff.h"

#include "render/gap.h"
#include "render/moments.h"
#include "render/parts_csv.h"
#include "render/parts_json.h"
#include "render/top.h"
#include "trace/processes.h"

static void put_side(struct json *json, const char *key, const struct diff_side *side)
{
    const struct view *view = side->view;
    json_open(json, key, '{');
    json_name(json, "trace", view->trace->path);
    gap_json(json, view->trace);
    json_command(json, view->trace, process_of_interest(view->trace, view->processes));
    json_moments(json, view);
    json_sampling(json, side->report);
    json_split(json, &view->total);
    json_close(json, '}');
}

static void put_change(
    struct json *json, const struct diff_report *about, const struct diff_row *row)
{
    json_amount(json, &row->now);
    json_number(json, "size_diff", row->now.size - row->before.size);
    json_number(json, "count_diff", row->now.count - row->before.count);
    json_number(json, "allocated_diff", row->now.allocated - row->before.allocated);
    json_number(json, "allocations_diff", row->now.allocations - row->before.allocations);
    if (diff_error(about, row))
        json_number(json, "diff_error", diff_error(about, row));
    json_name(json, "kind", diff_kind_names[row->kind]);
    if (about->diff->n_old > 1) {
        json_number(json, "low", row->low);
        json_number(json, "high", row->high);
    }
}

static void put_row(struct json *json, const struct diff_report *about, const struct diff_row *row)
{
    const struct report *report = diff_report_of(about, row);
    json_open(json, NULL, '{');
    if (row->rest >= 0)
        json_name(json, "name", top_rest_names[row->rest]);
    else
        json_row_name(json, report, row->row);
    put_change(json, about, row);
    json_close(json, '}');
}

void diff_json(FILE *file, const struct diff_report *about)
{
    const struct diff *diff = about->diff;
    struct json json = {.file = file};
    json_open(&json, NULL, '{');
    json_number(&json, "schema", 1);
    json_open(&json, "old", '[');
    for (size_t i = 0; i + 1 < about->n_sides; i++)
        put_side(&json, NULL, &about->sides[i]);
    json_close(&json, ']');
    put_side(&json, "new", &about->sides[about->n_sides - 1]);
    json_name(&json, "key", view_key_names[about->sides[0].view->options->key]);
    json_flag(&json, "moved", about->moved);
    json_open(&json, "total", '{');
    put_change(&json, about, &diff->total);
    json_close(&json, '}');
    json_open(&json, "rows", '[');
    for (size_t i = 0; i < diff_rows(about); i++)
        put_row(&json, about, &diff->rows[i]);
    json_close(&json, ']');
    json_open(&json, "other", '{');
    json_number(&json, "rows", (int64_t)(diff->n_changed - diff_rows(about)));
    json_number(&json, "noise", (int64_t)diff->counts[DIFF_NOISE]);
    json_number(&json, "same", (int64_t)diff->counts[DIFF_SAME]);
    json_close(&json, '}');
    json_flag(&json, "failed", about->failed);
    json_close(&json, '}');
}

static void put_line(struct csv *csv, const struct diff_report *about, const struct diff_row *row)
{
    const struct report *report = diff_report_of(about, row);
    if (row->rest >= 0)
        csv_rest_name(csv, report->options.view.key, (enum view_rest)row->rest);
    else
        csv_row_name(csv, report, row->row);
    csv_amount(csv, &row->now);
    csv_number(csv, row->now.size - row->before.size);
    csv_number(csv, row->now.count - row->before.count);
    csv_text(csv, diff_kind_names[row->kind]);
    csv_end_line(csv);
}

void diff_csv(FILE *file, const struct diff_report *about)
{
    struct csv csv = {
        .file = file, .samples = report_samples(about->sides[about->n_sides - 1].report)};
    csv_key_columns(&csv, about->sides[0].view->options->key);
    csv_amount_columns(&csv);
    csv_text(&csv, "size_diff");
    csv_text(&csv, "count_diff");
    csv_text(&csv, "kind");
    csv_end_line(&csv);
    for (size_t i = 0; i < diff_rows(about); i++)
        put_line(&csv, about, &about->diff->rows[i]);
}
