/*
 * The samples behind a plot as CSV and JSON, all of them and in bytes.  Runs in
 * reports.
 */
#include "render/gap.h"
#include "render/plot.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "render/csv.h"
#include "render/json.h"
#include "render/plot_words.h"
#include "render/top.h"
#include "trace/meta.h"

static bool shown(const struct trace_sample *sample, const struct plot_options *options)
{
    double seconds = (double)sample->time_us / 1e6;
    return !options->windowed || (seconds >= options->from_s && seconds <= options->to_s);
}

static bool *select_processes(const struct report *report)
{
    bool *selected = calloc(report->trace.n_processes + 1, sizeof *selected);
    if (!selected)
        abort();
    filter_processes(&report->options.view.filter, &report->trace, selected);
    return selected;
}

static uint64_t in_us(double seconds)
{
    return (uint64_t)(seconds * 1e6 + 0.5);
}

/* Of one process within the window, without the first fifth, as in the pictures. */
static struct series_slope slope_of(
    const struct trace *trace, uint32_t process, const struct plot_options *options)
{
    struct series series;
    struct series_slope slope = {0};
    if (!series_of_process(&series, trace, process))
        abort();
    bool good =
        !options->windowed || series_window(&series, in_us(options->from_s), in_us(options->to_s));
    if (good && series.count) {
        uint64_t from = series.samples[0].time_us;
        slope = series_slope(&series, from + (series.samples[series.count - 1].time_us - from) / 5);
    }
    series_free(&series);
    return slope;
}

/* MiB a minute. */
static double per_minute(double bytes_per_second)
{
    return bytes_per_second * 60 / 1048576;
}

static void csv_slope(struct csv *csv, const struct series_slope *slope)
{
    char text[32];
    snprintf(text, sizeof text, "%.6g", per_minute(slope->rss));
    csv_text(csv, slope->present ? text : "");
    snprintf(text, sizeof text, "%.6g", per_minute(slope->live));
    csv_text(csv, slope->present ? text : "");
}

static struct errors errors_of_process(const struct trace *trace, uint32_t process)
{
    bool *selected = calloc(trace->n_processes, sizeof *selected);
    if (!selected)
        abort();
    selected[process] = true;
    struct errors errors = errors_make(trace, selected);
    free(selected);
    return errors;
}

static void csv_process(struct csv *csv, const struct trace *trace, const char *path, uint32_t p,
    const struct plot_options *options)
{
    struct series_slope slope = {0};
    struct errors errors = errors_of_process(trace, p);
    char name[64], seconds[32];
    plot_process_name(name, sizeof name, trace, p);
    if (options->slope)
        slope = slope_of(trace, p, options);
    for (size_t i = 0; i < trace->timelines[p].count; i++) {
        const struct trace_sample *sample = &trace->timelines[p].samples[i];
        if (!shown(sample, options))
            continue;
        snprintf(seconds, sizeof seconds, "%.6f", (double)sample->time_us / 1e6);
        if (path)
            csv_text(csv, path);
        csv_number(csv, trace->processes[p].pid);
        csv_text(csv, name);
        csv_text(csv, seconds);
        csv_number(csv, (int64_t)sample->rss);
        csv_number(csv, (int64_t)sample->python);
        csv_number(csv, (int64_t)sample->native);
        csv_number(csv, (int64_t)sample->mapped);
        csv_number(csv, (int64_t)sample->high);
        if (csv->samples)
            csv_number(csv, errors_at(&errors, sample->time_us));
        if (options->slope)
            csv_slope(csv, &slope);
        csv_end_line(csv);
    }
    errors_free(&errors);
}

/* ---- the rows of a key ---- */

static char *name_of_row(const struct report *report, const struct stack *stack, size_t row)
{
    char *text = NULL;
    size_t size;
    FILE *file = open_memstream(&text, &size);
    if (!file)
        abort();
    print_row_name(file, report, &stack->view.rows[stack->rows[row]]);
    fclose(file);
    return text;
}

static bool point_shown(const struct stack *stack, size_t point, const struct plot_options *options)
{
    struct trace_sample sample = {.time_us = stack->times_us[point]};
    return shown(&sample, options);
}

static void csv_stack(struct csv *csv, const struct report *report, const struct stack *stack,
    const struct plot_options *options)
{
    fprintf(csv->file, "%s,time_s,size\r\n", view_key_names[report->options.view.key]);
    for (size_t row = 0; row < stack->n_rows; row++) {
        char *name = name_of_row(report, stack, row), seconds[32];
        for (size_t p = 0; p < stack->n_points; p++) {
            if (!point_shown(stack, p, options))
                continue;
            snprintf(seconds, sizeof seconds, "%.6f", (double)stack->times_us[p] / 1e6);
            csv_text(csv, name);
            csv_text(csv, seconds);
            csv_number(csv, stack->values[p * stack->n_rows + row]);
            csv_end_line(csv);
        }
        free(name);
    }
}

static void json_stack(struct json *json, const struct report *report, const struct stack *stack,
    const struct plot_options *options)
{
    json_name(json, "key", view_key_names[report->options.view.key]);
    json_open(json, "boundaries_s", '[');
    for (size_t p = 0; p < stack->n_points; p++)
        if (point_shown(stack, p, options))
            json_seconds(json, NULL, (double)stack->times_us[p] / 1e6);
    json_close(json, ']');
    json_open(json, "rows", '[');
    for (size_t row = 0; row < stack->n_rows; row++) {
        char *name = name_of_row(report, stack, row);
        json_open(json, NULL, '{');
        json_name(json, "name", name);
        json_open(json, "size", '[');
        for (size_t p = 0; p < stack->n_points; p++)
            if (point_shown(stack, p, options))
                json_number(json, NULL, stack->values[p * stack->n_rows + row]);
        json_close(json, ']');
        json_close(json, '}');
        free(name);
    }
    json_close(json, ']');
}

static struct stack make_stack(const struct report *report, const struct plot_options *options)
{
    struct view_options view = report->options.view;
    struct stack stack;
    view.sort = VIEW_CHURN_SIZE;
    stack_make(&stack, &report->trace, &view, options->limit);
    stack.view.options = NULL;
    return stack;
}

/* ---- CSV ---- */

void plot_csv(FILE *out, const struct report *reports, size_t n, const struct plot_options *options)
{
    struct csv csv = {.file = out};
    for (size_t i = 0; i < n; i++)
        csv.samples = csv.samples ? csv.samples : report_samples(&reports[i]);
    if (options->stacked) {
        struct stack stack = make_stack(reports, options);
        csv_stack(&csv, reports, &stack, options);
        stack_free(&stack);
        return;
    }
    fprintf(out, "%spid,process,time_s,rss,python,native,mapped,high%s%s\r\n",
        n > 1 ? "trace," : "", csv.samples ? ",error" : "",
        options->slope ? ",rss_mib_per_minute,live_mib_per_minute" : "");
    for (size_t i = 0; i < n; i++) {
        const struct trace *trace = &reports[i].trace;
        bool *selected = select_processes(&reports[i]);
        for (uint32_t p = 1; p < trace->n_processes; p++)
            if (selected[p])
                csv_process(&csv, trace, n > 1 ? trace->path : NULL, p, options);
        free(selected);
    }
}

/* ---- JSON ---- */

static void json_samples(struct json *json, const struct trace_timeline *timeline,
    const struct plot_options *options, const char *name, size_t offset)
{
    json_open(json, name, '[');
    for (size_t i = 0; i < timeline->count; i++) {
        const struct trace_sample *sample = &timeline->samples[i];
        uint64_t number;
        memcpy(&number, (const char *)sample + offset, sizeof number);
        if (!shown(sample, options))
            continue;
        if (offset == offsetof(struct trace_sample, time_us))
            json_seconds(json, NULL, (double)number / 1e6);
        else
            json_number(json, NULL, (int64_t)number);
    }
    json_close(json, ']');
}

static void json_errors(struct json *json, const struct trace *trace, uint32_t process,
    const struct plot_options *options)
{
    const struct trace_timeline *timeline = &trace->timelines[process];
    struct errors errors = errors_of_process(trace, process);
    json_open(json, "error", '[');
    for (size_t i = 0; i < timeline->count; i++)
        if (shown(&timeline->samples[i], options))
            json_number(json, NULL, errors_at(&errors, timeline->samples[i].time_us));
    json_close(json, ']');
    errors_free(&errors);
}

static void json_slope(
    struct json *json, const struct trace *trace, uint32_t p, const struct plot_options *options)
{
    struct series_slope slope = slope_of(trace, p, options);
    if (!slope.present)
        return;
    json_open(json, "slope", '{');
    json_seconds(json, "from_s", (double)slope.from_us / 1e6);
    json_seconds(json, "to_s", (double)slope.to_us / 1e6);
    json_seconds(json, "rss_mib_per_minute", per_minute(slope.rss));
    json_seconds(json, "live_mib_per_minute", per_minute(slope.live));
    json_close(json, '}');
}

static void json_marks(struct json *json, const struct trace *trace)
{
    json_open(json, "marks", '[');
    for (size_t i = 0; i < trace->n_boundaries; i++) {
        const struct trace_boundary *boundary = &trace->boundaries[i];
        if (boundary->kind != MT_BOUNDARY_MARK)
            continue;
        json_open(json, NULL, '{');
        json_name(json, "name", trace->strings[boundary->name].data);
        json_seconds(json, "time_s", (double)boundary->time_us / 1e6);
        json_close(json, '}');
    }
    json_close(json, ']');
}

static void json_regions(struct json *json, const struct trace *trace, const bool *selected)
{
    json_open(json, "regions", '[');
    for (size_t i = 0; i < trace->n_regions; i++) {
        const struct trace_region *region = &trace->regions[i];
        if (!selected[region->process])
            continue;
        json_open(json, NULL, '{');
        json_name(json, "name", trace->strings[region->name].data);
        json_number(json, "pid", trace->processes[region->process].pid);
        json_seconds(json, "from_s", (double)region->start_us / 1e6);
        json_seconds(json, "to_s", (double)region->end_us / 1e6);
        json_number(json, "live_before", (int64_t)region->live_before);
        json_number(json, "live_after", (int64_t)region->live_after);
        json_number(json, "peak", (int64_t)region->peak);
        json_close(json, '}');
    }
    json_close(json, ']');
}

static void json_process(struct json *json, const struct trace *trace, uint32_t process,
    const struct plot_options *options)
{
    const struct trace_timeline *timeline = &trace->timelines[process];
    char name[64];
    plot_process_name(name, sizeof name, trace, process);
    json_open(json, NULL, '{');
    json_number(json, "pid", trace->processes[process].pid);
    json_name(json, "name", name);
    if (options->slope)
        json_slope(json, trace, process, options);
    json_open(json, "samples", '{');
    json_samples(json, timeline, options, "time_s", offsetof(struct trace_sample, time_us));
    json_samples(json, timeline, options, "rss", offsetof(struct trace_sample, rss));
    json_samples(json, timeline, options, "python", offsetof(struct trace_sample, python));
    json_samples(json, timeline, options, "native", offsetof(struct trace_sample, native));
    json_samples(json, timeline, options, "mapped", offsetof(struct trace_sample, mapped));
    json_samples(json, timeline, options, "high", offsetof(struct trace_sample, high));
    if (trace->sample_bytes)
        json_errors(json, trace, process, options);
    json_close(json, '}');
    json_close(json, '}');
}

static void json_words(struct json *json, const struct trace *trace)
{
    const struct trace_string *command =
        &trace->strings[trace->n_processes > 1 ? trace->processes[1].command : 0];
    json_open(json, "command", '[');
    for (size_t at = 0, size; at < command->size; at += size + 1) {
        size = strnlen(command->data + at, command->size - at);
        json_text(json, NULL, command->data + at, size);
    }
    json_close(json, ']');
}

static void json_peak(struct json *json, const struct trace *trace)
{
    struct series_peak peak = series_peak(trace, 0);
    if (!peak.present)
        return;
    json_open(json, "peak", '{');
    json_seconds(json, "time_s", (double)peak.time_us / 1e6);
    json_number(json, "size", (int64_t)(peak.python + peak.native));
    json_number(json, "python", (int64_t)peak.python);
    json_number(json, "native", (int64_t)peak.native);
    json_close(json, '}');
}

void plot_json(FILE *out, const struct report *report, const struct plot_options *options)
{
    const struct trace *trace = &report->trace;
    struct json json = {.file = out};
    struct meta meta;
    bool *selected = select_processes(report);
    meta_read(&meta, trace);
    json_open(&json, NULL, '{');
    json_number(&json, "schema", 1);
    json_name(&json, "trace", trace->path);
    gap_json(&json, trace);
    json_words(&json, trace);
    json_peak(&json, trace);
    if (meta.memory_limit)
        json_number(&json, "memory_limit", (int64_t)meta.memory_limit);
    json_marks(&json, trace);
    json_regions(&json, trace, selected);
    if (options->stacked) {
        struct stack stack = make_stack(report, options);
        json_stack(&json, report, &stack, options);
        stack_free(&stack);
    }
    json_open(&json, "processes", '[');
    for (uint32_t p = 1; p < trace->n_processes; p++)
        if (selected[p])
            json_process(&json, trace, p, options);
    json_close(&json, ']');
    json_close(&json, '}');
    free(selected);
}
