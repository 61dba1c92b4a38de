/*
 * The samples behind a plot as CSV and JSON, all of them and in bytes.  Runs in
 * reports.
 */
#include "render/plot.h"

#include <stddef.h>
#include <string.h>

#include "render/csv.h"
#include "render/json.h"
#include "render/plot_words.h"

static bool shown(const struct trace_sample *sample, const struct plot_options *options)
{
    double seconds = (double)sample->time_us / 1e6;
    return !options->windowed || (seconds >= options->from_s && seconds <= options->to_s);
}

void plot_csv(FILE *out, const struct trace *trace, const struct plot_options *options)
{
    struct csv csv = {.file = out};
    fputs("pid,process,time_s,rss,python,native,mapped,high\r\n", out);
    for (uint32_t p = 1; p < trace->n_processes; p++) {
        char name[64], seconds[32];
        plot_process_name(name, sizeof name, trace, p);
        for (size_t i = 0; i < trace->timelines[p].count; i++) {
            const struct trace_sample *sample = &trace->timelines[p].samples[i];
            if (!shown(sample, options))
                continue;
            snprintf(seconds, sizeof seconds, "%.6f", (double)sample->time_us / 1e6);
            csv_number(&csv, trace->processes[p].pid);
            csv_text(&csv, name);
            csv_text(&csv, seconds);
            csv_number(&csv, (int64_t)sample->rss);
            csv_number(&csv, (int64_t)sample->python);
            csv_number(&csv, (int64_t)sample->native);
            csv_number(&csv, (int64_t)sample->mapped);
            csv_number(&csv, (int64_t)sample->high);
            csv_end_line(&csv);
        }
    }
}

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

static void json_process(struct json *json, const struct trace *trace, uint32_t process,
    const struct plot_options *options)
{
    const struct trace_timeline *timeline = &trace->timelines[process];
    char name[64];
    plot_process_name(name, sizeof name, trace, process);
    json_open(json, NULL, '{');
    json_number(json, "pid", trace->processes[process].pid);
    json_name(json, "name", name);
    json_open(json, "samples", '{');
    json_samples(json, timeline, options, "time_s", offsetof(struct trace_sample, time_us));
    json_samples(json, timeline, options, "rss", offsetof(struct trace_sample, rss));
    json_samples(json, timeline, options, "python", offsetof(struct trace_sample, python));
    json_samples(json, timeline, options, "native", offsetof(struct trace_sample, native));
    json_samples(json, timeline, options, "mapped", offsetof(struct trace_sample, mapped));
    json_samples(json, timeline, options, "high", offsetof(struct trace_sample, high));
    json_close(json, '}');
    json_close(json, '}');
}

static void json_command(struct json *json, const struct trace *trace)
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

void plot_json(FILE *out, const struct trace *trace, const struct plot_options *options)
{
    struct json json = {.file = out};
    json_open(&json, NULL, '{');
    json_number(&json, "schema", 1);
    json_name(&json, "trace", trace->path);
    json_command(&json, trace);
    json_peak(&json, trace);
    json_open(&json, "processes", '[');
    for (uint32_t p = 1; p < trace->n_processes; p++)
        json_process(&json, trace, p, options);
    json_close(&json, ']');
    json_close(&json, '}');
}
