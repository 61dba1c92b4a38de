/*
 * Bodies of chunks (bodies.h): what sites hold at the boundaries and peaks, and
 * the log.  Runs in every report.
 */
#include "trace/bodies_parts.h"

#include <stdlib.h>

#include "memtrace/format.h"
#include "trace/huge.h"
#include "trace/log.h"

#define SAMPLING_MOST (1ull << 40) /* bytes between samples, as `run` takes them */

/* Room for `count` rows as they are in the file, which the next chunk takes again. */
static struct row *encoded_rows(struct reader *reader, size_t count)
{
    if (count >= reader->n_encoded) {
        free(reader->encoded);
        reader->n_encoded = count + count / 2 + 1024;
        reader->encoded = huge_calloc(reader->n_encoded, sizeof *reader->encoded);
    }
    if (!reader->encoded) {
        reader->n_encoded = 0;
        reader->no_memory = true;
    }
    return reader->encoded;
}

/* Of values that a row has not, what the last chunk left there is not looked at. */
static struct trace_row row_of(const struct row *row, int values)
{
    const int64_t *value = row->values;
    bool of_peak = values == ROWS_OF_PEAK || values == ROWS_OF_SAMPLED_PEAK;
    return (struct trace_row){.site = row->site,
        .birth = row->birth,
        .bytes = value[0],
        .blocks = value[1],
        .allocated_bytes = of_peak ? 0 : value[2],
        .allocations = of_peak ? 0 : value[3]};
}

static struct trace_spread *spreads_of(
    struct reader *reader, const struct row *rows, size_t count, int values)
{
    bool of_peak = values == ROWS_OF_SAMPLED_PEAK;
    if (!of_peak && values != ROWS_OF_SAMPLED_BOUNDARY)
        return NULL;
    struct trace_spread *spreads = body_allocate(reader, count * sizeof *spreads);
    for (size_t i = 0; i < count && spreads; i++)
        spreads[i] =
            (struct trace_spread){rows[i].values[of_peak ? 2 : 4], of_peak ? 0 : rows[i].values[5]};
    return spreads;
}

/* Whatever is summed up of rows, and subtracted then, stays in range. */
static bool are_sane(struct reader *reader, const struct row *rows, size_t count, int values)
{
    for (int value = 0; value < values; value++) {
        uint64_t *sum = &reader->amounts[value];
        for (size_t i = 0; i < count; i++) {
            int64_t amount = rows[i].values[value];
            uint64_t size = amount < 0 ? -(uint64_t)amount : (uint64_t)amount;
            if (size > MT_AMOUNT_MOST - *sum)
                return false;
            *sum += size;
        }
    }
    return true;
}

/* Rows of a boundary or, with fewer changes each, of a peak. */
static struct trace_row *parse_rows(struct reader *reader, struct cursor *body, size_t *count,
    int values, struct trace_spread **spreads)
{
    struct trace *trace = reader->trace;
    size_t n = cursor_count(body, 2 + (size_t)values);
    struct trace_row *rows = body_allocate(reader, n * sizeof *rows);
    struct row *encoded = rows ? encoded_rows(reader, n) : NULL;
    *count = n;
    if (!encoded)
        return rows;
    rows_get(body, encoded, n, values, trace->n_sites, trace->n_boundaries + 1);
    if (!body->bad && !are_sane(reader, encoded, n, values))
        body->bad = true;
    if (body->bad)
        return rows;
    for (size_t i = 0; i < n; i++)
        rows[i] = row_of(&encoded[i], values);
    *spreads = spreads_of(reader, encoded, n, values);
    return rows;
}

static void parse_boundary_of(struct reader *reader, struct cursor *body, int values)
{
    struct trace *trace = reader->trace;
    struct trace_boundary boundary = {0};
    boundary.kind = (int)cursor_id(body, MT_BOUNDARY_DROPPED + 1);
    boundary.dropped = boundary.kind == MT_BOUNDARY_DROPPED;
    boundary.process = cursor_id(body, trace->n_processes);
    boundary.time_us = cursor_time(body);
    boundary.name = cursor_id(body, trace->n_strings);
    boundary.rows = parse_rows(reader, body, &boundary.count, values, &boundary.spreads);
    if (body->bad || !EXTEND(reader, trace->boundaries, trace->n_boundaries, 1))
        return;
    trace->boundaries[trace->n_boundaries++] = boundary;
}

void body_boundary(struct reader *reader, struct cursor *body)
{
    parse_boundary_of(reader, body, ROWS_OF_BOUNDARY);
}

void body_sampled_boundary(struct reader *reader, struct cursor *body)
{
    parse_boundary_of(reader, body, ROWS_OF_SAMPLED_BOUNDARY);
}

void body_sampling(struct reader *reader, struct cursor *body)
{
    uint64_t bytes = cursor_varint(body);
    if (bytes > SAMPLING_MOST)
        body->bad = true;
    else
        reader->trace->sample_bytes = bytes;
}

static void parse_peak_of(struct reader *reader, struct cursor *body, int values)
{
    struct trace *trace = reader->trace;
    struct trace_peak peak = {.present = true, .after = trace->n_boundaries};
    uint32_t process = cursor_id(body, trace->n_processes);
    peak.time_us = cursor_time(body);
    peak.python = cursor_amount(body);
    peak.native = cursor_amount(body);
    peak.blocks = cursor_amount(body);
    peak.rows = parse_rows(reader, body, &peak.count, values, &peak.spreads);
    if (!body->bad && !reader->no_memory && !reader->no_room)
        trace->peaks[process] = peak;
}

void body_peak(struct reader *reader, struct cursor *body)
{
    parse_peak_of(reader, body, ROWS_OF_PEAK);
}

void body_sampled_peak(struct reader *reader, struct cursor *body)
{
    parse_peak_of(reader, body, ROWS_OF_SAMPLED_PEAK);
}

void body_thin(struct reader *reader, struct cursor *body)
{
    struct trace *trace = reader->trace;
    int64_t ordinal = 0;
    for (size_t n = cursor_count(body, 1); n && !body->bad; n--) {
        int64_t step = cursor_svarint(body);
        bool there = step > -(int64_t)trace->n_boundaries && step < (int64_t)trace->n_boundaries;
        ordinal += there ? step : 0;
        if (!there || ordinal <= 0 || ordinal >= (int64_t)trace->n_boundaries ||
            trace->boundaries[ordinal].process)
            body->bad = true;
        else
            trace->boundaries[ordinal].dropped = true;
    }
}

/* Its events are read when somebody wants them (logs.c). */
void body_log(struct reader *reader, struct cursor *body)
{
    struct trace *trace = reader->trace;
    struct log_head head;
    log_get_head(body, &head);
    if (!head.process || head.process >= trace->n_processes)
        body->bad = true;
    if (body->bad || !EXTEND(reader, trace->logs, trace->n_logs, 1))
        return;
    trace->logs[trace->n_logs++] = (struct trace_log){.at = reader->at,
        .sequence = reader->sequence,
        .process = head.process,
        .after = trace->n_boundaries,
        .count = head.count,
        .bytes = reader->chunk,
        .first_us = head.first_us,
        .last_us = head.last_us};
    cursor_bytes(body, cursor_left(body));
}

static void parse_untouched_rows(
    struct reader *reader, struct cursor *body, struct trace_look *look)
{
    struct trace *trace = reader->trace;
    uint32_t site = 0;
    look->first = trace->n_untouched;
    look->count = cursor_count(body, 2);
    if (!EXTEND(reader, trace->untouched, trace->n_untouched, look->count))
        return;
    for (size_t i = 0; i < look->count && !body->bad; i++) {
        site += cursor_id(body, trace->n_sites - site);
        struct trace_untouched row = {.site = site, .bytes = cursor_amount(body)};
        body->bad |= !site;
        if (!body->bad)
            trace->untouched[trace->n_untouched++] = row;
    }
}

void body_untouched(struct reader *reader, struct cursor *body)
{
    struct trace *trace = reader->trace;
    size_t n = cursor_count(body, 4);
    if (!EXTEND(reader, trace->looks, trace->n_looks, n))
        return;
    while (n--) {
        struct trace_look look = {.process = body_process_id(trace, body)};
        look.time_us = cursor_time(body);
        look.known = cursor_id(body, 2) != 0;
        parse_untouched_rows(reader, body, &look);
        if (body->bad || reader->no_room || reader->no_memory)
            return;
        trace->looks[trace->n_looks++] = look;
    }
}
