/*
 * `info` for programs: schema 1, described in memtrace-info(1).  Runs in the
 * tools.
 */
#include "render/info.h"

#include <stdlib.h>
#include <string.h>

#include "render/allocators.h"
#include "render/json.h"
#include "render/off.h"
#include "render/running.h"
#include "trace/processes.h"
#include "trace/touched.h"

static void put_words(struct json *json, const char *key, const struct trace_string *words)
{
    json_open(json, key, '[');
    for (const char *word = words->data; word < words->data + words->size; word += strlen(word) + 1)
        json_name(json, NULL, word);
    json_close(json, ']');
}

static void put_end(struct json *json, const struct trace_process *process)
{
    json_seconds(json, "end", (double)process->end_us / 1e6);
    json_number(json, "status", process->status);
    json_number(json, "unknown_frees", (int64_t)process->unknown_frees);
    json_number(json, "duplicate_allocations", (int64_t)process->duplicate_allocations);
    json_number(json, "inherited_frees", (int64_t)process->inherited_frees);
    json_number(json, "gap_events", (int64_t)process->gap_events);
    json_number(json, "gap_bytes", (int64_t)process->gap_bytes);
    json_number(json, "events", (int64_t)process->events);
    json_number(json, "max_rss", (int64_t)process->max_rss);
    json_flag(json, "was_paused", process->was_paused);
    json_number(json, "paused_frees", (int64_t)process->paused_frees);
}

static void put_share(struct json *json, const struct trace *trace, uint32_t process)
{
    const struct trace_share *share = info_share(trace, process);
    if (!share)
        return;
    json_number(json, "max_pss", (int64_t)share->pss);
    json_number(json, "uss", (int64_t)share->uss);
}

static void put_inherited(struct json *json, const struct inheritance *inherited)
{
    json_open(json, "inherited", '{');
    json_number(json, "size", inherited->bytes);
    json_number(json, "count", inherited->blocks);
    json_number(json, "size_at_end", inherited->held_bytes);
    json_number(json, "count_at_end", inherited->held_blocks);
    json_close(json, '}');
}

static void put_process(
    struct json *json, const struct trace *trace, uint32_t id, const struct inheritance *inherited)
{
    const struct trace_process *process = &trace->processes[id];
    json_open(json, NULL, '{');
    json_number(json, "pid", process->pid);
    if (process->parent)
        json_number(json, "parent", trace->processes[process->parent].pid);
    json_name(json, "origin", process->origin == MT_ORIGIN_FORK ? "fork" : "exec");
    json_name(json, "path", trace->strings[process->path].data);
    put_words(json, "command", &trace->strings[process->command]);
    json_name(json, "python", info_python_names[process->traced]);
    if (process->python)
        json_name(json, "python_version", trace->strings[process->python].data);
    json_seconds(json, "start", (double)process->start_us / 1e6);
    if (process->ended)
        put_end(json, process);
    put_share(json, trace, id);
    if (inherited->blocks)
        put_inherited(json, inherited);
    json_number(json, "samples", (int64_t)trace->timelines[id].count);
    json_close(json, '}');
}

static void put_counters(struct json *json, const struct trace *trace)
{
    struct info_counters sum = info_count(trace);
    json_number(json, "unknown_frees", (int64_t)sum.unknown_frees);
    json_number(json, "duplicate_allocations", (int64_t)sum.duplicate_allocations);
    json_number(json, "inherited_frees", (int64_t)sum.inherited_frees);
    json_number(json, "gap_events", (int64_t)sum.gap_events);
    json_number(json, "gap_bytes", (int64_t)sum.gap_bytes);
    json_number(json, "events", (int64_t)sum.events);
}

static void put_untouched(struct json *json, const struct trace *trace)
{
    json_open(json, "untouched", '{');
    json_number(json, "most", (int64_t)touched_most(trace));
    json_number(json, "unknown", (int64_t)touched_unknown(trace));
    json_close(json, '}');
}

static void put_definitions(struct json *json, const struct trace *trace)
{
    json_open(json, "definitions", '{');
    json_number(json, "strings", (int64_t)(trace->n_strings - trace->n_merged_strings) - 1);
    json_number(json, "functions", (int64_t)(trace->n_functions - trace->n_merged_functions) - 1);
    json_number(json, "stacks", (int64_t)(trace->n_nodes - trace->n_merged_nodes) - 1);
    json_number(json, "threads", (int64_t)trace->n_threads - 1);
    json_number(json, "sites", (int64_t)trace->n_sites - 1);
    json_number(json, "sources", (int64_t)trace->n_sources);
    json_close(json, '}');
}

static void put_boundaries(struct json *json, const struct trace *trace)
{
    json_open(json, "boundaries", '[');
    for (size_t i = 0; i < trace->n_boundaries; i++) {
        const struct trace_boundary *boundary = &trace->boundaries[i];
        if (boundary->dropped)
            continue;
        json_open(json, NULL, '{');
        json_name(json, "kind", info_boundary_names[boundary->kind]);
        if (boundary->name)
            json_name(json, "name", trace->strings[boundary->name].data);
        if (boundary->process)
            json_number(json, "pid", trace->processes[boundary->process].pid);
        json_seconds(json, "seconds", (double)boundary->time_us / 1e6);
        json_number(json, "changes", (int64_t)boundary->count);
        json_close(json, '}');
    }
    json_close(json, ']');
}

static void put_regions(struct json *json, const struct trace *trace)
{
    json_open(json, "regions", '[');
    for (size_t i = 0; i < trace->n_regions; i++) {
        const struct trace_region *region = &trace->regions[i];
        json_open(json, NULL, '{');
        json_name(json, "name", trace->strings[region->name].data);
        json_number(json, "pid", trace->processes[region->process].pid);
        if (region->thread)
            json_number(json, "tid", trace->threads[region->thread].tid);
        json_seconds(json, "start", (double)region->start_us / 1e6);
        json_seconds(json, "end", (double)region->end_us / 1e6);
        json_number(json, "size_before", (int64_t)region->live_before);
        json_number(json, "size_after", (int64_t)region->live_after);
        json_number(json, "peak", (int64_t)region->peak);
        json_close(json, '}');
    }
    json_close(json, ']');
}

static void put_peaks(struct json *json, const struct trace *trace)
{
    json_open(json, "peaks", '[');
    for (size_t i = 0; i < trace->n_processes; i++) {
        const struct trace_peak *peak = &trace->peaks[i];
        if (!peak->present)
            continue;
        json_open(json, NULL, '{');
        if (i)
            json_number(json, "pid", trace->processes[i].pid);
        json_seconds(json, "seconds", (double)peak->time_us / 1e6);
        json_number(json, "size", (int64_t)(peak->python + peak->native));
        json_number(json, "count", (int64_t)peak->blocks);
        json_number(json, "python", (int64_t)peak->python);
        json_number(json, "native", (int64_t)peak->native);
        json_close(json, '}');
    }
    json_close(json, ']');
}

static void put_own(struct json *json, const struct report *report)
{
    struct info_own own = info_own(report);
    if (!own.collector)
        return;
    json_open(json, "own", '{');
    json_number(json, "collector", (int64_t)own.collector);
    json_number(json, "agent", (int64_t)own.agent);
    if (own.end)
        json_number(json, "end", (int64_t)own.end);
    json_close(json, '}');
}

static void put_log(struct json *json, const struct trace *trace)
{
    struct info_log log = info_log(trace);
    if (!log.events)
        return;
    json_open(json, "log", '{');
    json_number(json, "events", (int64_t)log.events);
    json_number(json, "bytes", (int64_t)log.bytes);
    json_close(json, '}');
}

static void put_file(struct json *json, const struct report *report)
{
    const struct trace *trace = &report->trace;
    uint64_t elapsed_us = 0;
    json_name(json, "trace", trace->path);
    json_number(json, "size", (int64_t)trace->file_bytes);
    json_number(json, "readable", (int64_t)trace->good_bytes);
    json_flag(json, "sealed", trace->sealed);
    if (trace->sample_bytes)
        json_number(json, "sample_bytes", (int64_t)trace->sample_bytes);
    if (trace_is_running(trace, &elapsed_us)) {
        json_flag(json, "running", true);
        json_seconds(json, "elapsed", (double)elapsed_us / 1e6);
    }
    json_flag(json, "damaged", trace->damaged);
    uint32_t process = process_of_interest(trace, NULL);
    put_words(json, "command", &trace->strings[trace->processes[process].command]);
    json_name(json, "cwd", report->cwd);
    json_name(json, "host", info_host(report));
    json_timestamp(json, "start", info_start(report));
    json_seconds(json, "seconds", (double)info_duration(trace) / 1e6);
}

void info_json(FILE *file, const struct report *report)
{
    const struct trace *trace = &report->trace;
    struct json json = {.file = file};
    json_open(&json, NULL, '{');
    json_number(&json, "schema", 1);
    put_file(&json, report);
    json_open(&json, "processes", '[');
    struct inheritance *inherited = processes_inherited(trace);
    for (uint32_t i = 1; i < trace->n_processes; i++)
        put_process(&json, trace, i, &inherited[i]);
    free(inherited);
    json_close(&json, ']');
    if (info_programs_left(report))
        json_number(&json, "programs_left", (int64_t)info_programs_left(report));
    off_json(&json, trace);
    put_counters(&json, trace);
    allocators_json(&json, trace);
    if (trace->n_looks)
        put_untouched(&json, trace);
    put_definitions(&json, trace);
    put_boundaries(&json, trace);
    put_log(&json, trace);
    json_number(&json, "marks", (int64_t)info_marks(trace));
    put_regions(&json, trace);
    put_peaks(&json, trace);
    put_own(&json, report);
    json_close(&json, '}');
}
