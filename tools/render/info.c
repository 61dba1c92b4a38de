/*
 * What the text and the JSON of `info` share.  Runs in the tools.
 */
#include "render/info.h"
#include "trace/meta.h"

#include <jansson.h>

const char *const info_boundary_names[] = {
    [MT_BOUNDARY_START] = "start",
    [MT_BOUNDARY_TICK] = "tick",
    [MT_BOUNDARY_END] = "end",
    [MT_BOUNDARY_MARK] = "mark",
    [MT_BOUNDARY_LAST] = "last",
    [MT_BOUNDARY_DROPPED] = "dropped",
};

const char *const info_python_names[] = {"none", "traced", "unknown"};

struct info_log info_log(const struct trace *trace)
{
    struct info_log sum = {0};
    for (size_t i = 0; i < trace->n_logs; i++) {
        sum.events += trace->logs[i].count;
        sum.bytes += trace->logs[i].bytes;
    }
    return sum;
}

struct info_counters info_count(const struct trace *trace)
{
    struct info_counters sum = {0};
    for (size_t i = 1; i < trace->n_processes; i++) {
        const struct trace_process *process = &trace->processes[i];
        sum.unknown_frees += process->unknown_frees;
        sum.duplicate_allocations += process->duplicate_allocations;
        sum.inherited_frees += process->inherited_frees;
        sum.gap_events += process->gap_events;
        sum.gap_bytes += process->gap_bytes;
        sum.events += process->events;
    }
    return sum;
}

static void later(uint64_t *last, uint64_t time)
{
    if (time > *last)
        *last = time;
}

size_t info_marks(const struct trace *trace)
{
    size_t marks = 0;
    for (size_t i = 0; i < trace->n_boundaries; i++)
        marks += trace->boundaries[i].kind == MT_BOUNDARY_MARK;
    return marks;
}

uint64_t info_duration(const struct trace *trace)
{
    uint64_t last = 0;
    for (size_t i = 1; i < trace->n_processes; i++) {
        const struct trace_timeline *timeline = &trace->timelines[i];
        later(&last, trace->processes[i].end_us);
        if (timeline->count)
            later(&last, timeline->samples[timeline->count - 1].time_us);
    }
    for (size_t i = 0; i < trace->n_boundaries; i++)
        later(&last, trace->boundaries[i].time_us);
    return last;
}

double info_start(const struct report *report)
{
    struct meta meta;
    meta_read(&meta, &report->trace);
    return meta.start;
}

const char *info_host(const struct report *report)
{
    const char *host = json_string_value(json_object_get(report->meta, "host"));
    return host ? host : "";
}

static uint64_t size_of(const json_t *end, const char *key)
{
    json_int_t size = json_integer_value(json_object_get(end, key));
    return size > 0 ? (uint64_t)size : 0;
}

struct info_own info_own(const struct report *report)
{
    json_t *end = report->trace.end ? json_loads(report->trace.end, 0, NULL) : NULL;
    struct info_own own = {
        size_of(end, "collector_rss"), size_of(end, "agent_rss"), size_of(end, "end_rss")};
    json_decref(end);
    return own;
}

uint64_t info_programs_left(const struct report *report)
{
    json_t *end = report->trace.end ? json_loads(report->trace.end, 0, NULL) : NULL;
    uint64_t programs = size_of(end, "programs_left");
    json_decref(end);
    return programs;
}

const struct trace_share *info_share(const struct trace *trace, uint32_t process)
{
    const struct trace_timeline *timeline = &trace->timelines[process];
    const struct trace_share *most = NULL;
    for (size_t i = 0; i < timeline->n_shares; i++)
        if (!most || timeline->shares[i].pss > most->pss)
            most = &timeline->shares[i];
    return most;
}
