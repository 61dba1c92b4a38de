/*
 * Bodies of chunks (bodies.h): processes and threads, and what is kept of each
 * process as a whole.  Runs in every report.
 */
#include "trace/bodies_parts.h"

#include <limits.h>

#include "memtrace/format.h"

static void parse_process(struct trace *trace, struct cursor *body, struct trace_process *process)
{
    process->pid = (int)cursor_id(body, INT_MAX);
    process->parent = cursor_id(body, trace->n_processes);
    process->start_us = cursor_time(body);
    process->origin = (int)cursor_id(body, MT_ORIGIN_FORK + 1);
    process->path = cursor_id(body, trace->n_strings);
    process->command = cursor_id(body, trace->n_strings);
    process->python = cursor_id(body, trace->n_strings);
    process->traced = (int)cursor_id(body, MT_PYTHON_UNKNOWN + 1);
    process->status = -1;
}

void body_processes(struct reader *reader, struct cursor *body)
{
    struct trace *trace = reader->trace;
    size_t n = cursor_count(body, 8);
    if (!EXTEND(reader, trace->processes, trace->n_processes, n) ||
        !EXTEND(reader, trace->timelines, trace->n_processes, n) ||
        !EXTEND(reader, trace->peaks, trace->n_processes, n) ||
        !EXTEND(reader, trace->sizes, trace->n_processes, n))
        return;
    while (n--) {
        struct trace_process process = {0};
        parse_process(trace, body, &process);
        if (body->bad)
            return;
        trace->timelines[trace->n_processes].process = (uint32_t)trace->n_processes;
        trace->processes[trace->n_processes++] = process;
    }
}

void body_threads(struct reader *reader, struct cursor *body)
{
    struct trace *trace = reader->trace;
    size_t n = cursor_count(body, 4);
    if (!EXTEND(reader, trace->threads, trace->n_threads, n))
        return;
    while (n--) {
        struct trace_thread thread;
        thread.process = body_process_id(trace, body);
        thread.tid = (int)cursor_id(body, INT_MAX);
        thread.name = cursor_id(body, trace->n_strings);
        thread.start_us = cursor_time(body);
        if (body->bad)
            return;
        trace->threads[trace->n_threads++] = thread;
    }
}

void body_thread_names(struct reader *reader, struct cursor *body)
{
    struct trace *trace = reader->trace;
    size_t n = cursor_count(body, 2);
    while (n--) {
        uint32_t thread = cursor_id(body, trace->n_threads);
        uint32_t name = cursor_id(body, trace->n_strings);
        if (!thread)
            body->bad = true;
        if (body->bad)
            return;
        trace->threads[thread].name = name;
    }
}

void body_pythons(struct reader *reader, struct cursor *body)
{
    struct trace *trace = reader->trace;
    size_t n = cursor_count(body, 3);
    while (n--) {
        uint32_t process = body_process_id(trace, body);
        uint32_t python = cursor_id(body, trace->n_strings);
        uint32_t traced = cursor_id(body, MT_PYTHON_UNKNOWN + 1);
        if (body->bad)
            return;
        trace->processes[process].python = python;
        trace->processes[process].traced = (int)traced;
    }
}

void body_process_end(struct reader *reader, struct cursor *body)
{
    uint32_t id = body_process_id(reader->trace, body);
    struct trace_process process = reader->trace->processes[id];
    process.ended = true;
    process.end_us = cursor_time(body);
    int64_t status = cursor_svarint(body);
    process.status =
        status >= MT_STATUS_EXEC && status <= INT_MAX ? (int)status : MT_STATUS_UNKNOWN;
    process.unknown_frees = cursor_amount(body);
    process.duplicate_allocations = cursor_amount(body);
    process.inherited_frees = cursor_amount(body);
    process.gap_events = cursor_amount(body);
    process.gap_bytes = cursor_amount(body);
    process.events = cursor_amount(body);
    process.max_rss = cursor_amount(body);
    process.was_paused = cursor_left(body) != 0;
    process.paused_frees = process.was_paused ? cursor_amount(body) : 0;
    if (!body->bad)
        reader->trace->processes[id] = process;
}

static void parse_region(struct trace *trace, struct cursor *body, struct trace_region *region)
{
    region->process = body_process_id(trace, body);
    region->thread = cursor_id(body, trace->n_threads);
    region->name = cursor_id(body, trace->n_strings);
    region->start_us = cursor_time(body);
    region->end_us = region->start_us + cursor_time(body);
    region->live_before = cursor_amount(body);
    region->live_after = cursor_amount(body);
    region->peak = cursor_amount(body);
    if (region->end_us < region->start_us)
        body->bad = true;
}

void body_regions(struct reader *reader, struct cursor *body)
{
    struct trace *trace = reader->trace;
    size_t n = cursor_count(body, 8);
    if (!EXTEND(reader, trace->regions, trace->n_regions, n))
        return;
    while (n--) {
        struct trace_region region;
        parse_region(trace, body, &region);
        if (body->bad)
            return;
        trace->regions[trace->n_regions++] = region;
    }
}

static void parse_counts(struct reader *reader, struct cursor *body, struct trace_counts *counts)
{
    counts->temporary = cursor_amount(body);
    counts->n = cursor_count(body, 1);
    if (counts->n > 65)
        body->bad = true;
    counts->counts = body->bad ? NULL : body_allocate(reader, counts->n * sizeof *counts->counts);
    for (size_t i = 0; i < counts->n && counts->counts; i++)
        counts->counts[i] = cursor_amount(body);
}

void body_sizes(struct reader *reader, struct cursor *body)
{
    uint32_t process = body_process_id(reader->trace, body);
    size_t n = cursor_count(body, 2);
    struct trace_sizes *sizes = body_allocate(reader, sizeof *sizes);
    if (n > MT_DOMAINS)
        body->bad = true;
    for (size_t i = 0; i < n && sizes && !body->bad; i++)
        parse_counts(reader, body, &sizes->domains[i]);
    if (!body->bad)
        reader->trace->sizes[process] = sizes;
}

static void parse_sample(struct cursor *body, struct trace_sample *sample)
{
    uint64_t *fields[] = {&sample->time_us, &sample->rss, &sample->python, &sample->native,
        &sample->mapped, &sample->arenas, &sample->high};
    uint64_t before = sample->time_us;
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        *fields[i] += (uint64_t)cursor_svarint(body);
    if (sample->time_us < before || sample->time_us > MT_TIME_MOST)
        body->bad = true;
    for (size_t i = 1; i < sizeof fields / sizeof *fields; i++)
        body->bad |= *fields[i] > MT_AMOUNT_MOST;
}

void body_timeline(struct reader *reader, struct cursor *body)
{
    struct trace_sample sample = {0};
    uint32_t process = cursor_id(body, reader->trace->n_processes);
    struct trace_timeline *timeline = &reader->trace->timelines[process];
    size_t n = cursor_count(body, 7);
    if (!EXTEND(reader, timeline->samples, timeline->count, n))
        return;
    while (n--) {
        parse_sample(body, &sample);
        if (timeline->count && sample.time_us < timeline->samples[timeline->count - 1].time_us)
            body->bad = true;
        if (body->bad)
            return;
        timeline->samples[timeline->count++] = sample;
    }
}

void body_shares(struct reader *reader, struct cursor *body)
{
    struct trace_share share = {0};
    uint64_t *fields[] = {&share.time_us, &share.rss, &share.pss, &share.uss};
    uint32_t process = cursor_id(body, reader->trace->n_processes);
    struct trace_timeline *timeline = &reader->trace->timelines[process];
    size_t n = cursor_count(body, 4);
    if (!EXTEND(reader, timeline->shares, timeline->n_shares, n))
        return;
    while (n-- && !body->bad) {
        for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
            *fields[i] += (uint64_t)cursor_svarint(body);
        for (size_t i = 1; i < sizeof fields / sizeof *fields; i++)
            body->bad |= *fields[i] > MT_AMOUNT_MOST;
        body->bad |= share.time_us > MT_TIME_MOST;
        if (timeline->n_shares && share.time_us < timeline->shares[timeline->n_shares - 1].time_us)
            body->bad = true;
        if (!body->bad)
            timeline->shares[timeline->n_shares++] = share;
    }
}
