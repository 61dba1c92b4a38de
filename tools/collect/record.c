/*
 * Writing the trace as it grows (record.h).  In the collector.
 */
#include "collect/record.h"

#include <stdlib.h>

#include "collect/cellsort.h"
#include "collect/compact.h"
#include "collect/memory.h"
#include "collect/names.h"
#include "collect/regions.h"
#include "collect/shares.h"
#include "collect/sources.h"
#include "collect/spreads.h"
#include "collect/symbols.h"
#include "collect/timeline.h"
#include "collect/touched.h"
#include "memtrace/format.h"
#include "trace/rows.h"

#define FLUSH_US 1000000u
#define TICK_US 100000u  /* least time between boundaries */
#define TICKS_OF_AGE 128 /* a boundary at every 128th part of the time so far */
#define COMPACT_DROPPED 32u
#define COMPACT_BYTES (1u << 20)
#define TICK_SHARE 50    /* writing them takes at most a 50th of the time */
#define ROWS_OVER 32768u /* more than so many changes of ended processes do not wait for that */

/* Rows to be written, and the cells that they are of. */
struct rows {
    struct row *rows;
    uint32_t *cells;
    size_t count, capacity, cells_capacity;
};

static void add_row(struct rows *rows, uint32_t cell)
{
    rows->cells =
        memory_grow(rows->cells, &rows->cells_capacity, rows->count + 1, sizeof(*rows->cells));
    rows->cells[rows->count++] = cell;
}

/* Sorts the cells, and lets `fill` make the row of each. */
static void put_rows(struct collector *collector, struct buffer *body, struct rows *rows,
    int values, void (*fill)(struct row *, const struct accounts *, uint32_t, const void *),
    const void *context)
{
    struct cell *cells = collector->accounts.cells;
    cellsort(rows->cells, rows->count, cells);
    rows->rows = memory_grow(rows->rows, &rows->capacity, rows->count, sizeof(*rows->rows));
    for (size_t i = 0; i < rows->count; i++) {
        const struct cell *cell = &cells[rows->cells[i]];
        rows->rows[i] = (struct row){.site = cell->site_id, .birth = cell->birth};
        fill(&rows->rows[i], &collector->accounts, rows->cells[i], context);
    }
    rows_put(body, rows->rows, rows->count, values);
}

static void free_rows(struct rows *rows)
{
    memory_free(rows->rows);
    memory_free(rows->cells);
}

static void write_chunk(struct collector *collector, int kind, struct buffer *body)
{
    definitions_flush(&collector->accounts.definitions, &collector->writer);
    writer_chunk(&collector->writer, kind, body);
    buffer_free(body);
}

/* ---- the log ---- */

void record_log(struct collector *collector, struct image *image)
{
    struct eventlog *log = image->log;
    for (size_t at = 0; log && at < log->count; at += LOG_EVENTS) {
        size_t left = log->count - at;
        struct buffer body = {0};
        log_put(&body, image->process, log->events + at, left < LOG_EVENTS ? left : LOG_EVENTS);
        definitions_flush(&collector->accounts.definitions, &collector->writer);
        log->writing = writer_sequence(&collector->writer) + 1;
        write_chunk(collector, MT_CHUNK_LOG, &body);
    }
    if (log) {
        log->count = 0;
        log->writing = 0;
    }
}

/* Of each process that the boundary is of: the log has what is in the state there, and no more. */
static void write_logs(struct collector *collector, const struct image *only)
{
    for (size_t i = 0; i < collector->n_living; i++) {
        if (!only || collector->living[i] == only) {
            record_log(collector, collector->living[i]);
        }
    }
}

/* What a collector had written that was killed then is not written again. */
static void resume_logs(struct collector *collector)
{
    for (size_t i = 0; i < collector->n_living; i++) {
        struct eventlog *log = collector->living[i]->log;
        if (log && log->writing && writer_sequence(&collector->writer) >= log->writing) {
            log->count = 0;
        }
    }
}

/* ---- boundaries ---- */

static void fill_changes(
    struct row *row, const struct accounts *accounts, uint32_t id, const void *context)
{
    const struct cell *cell = &accounts->cells[id];
    row->values[0] = cell->bytes - cell->written_bytes;
    row->values[1] = cell->blocks - cell->written_blocks;
    row->values[2] = (int64_t)(cell->allocated_bytes - cell->written_allocated_bytes);
    row->values[3] = (int64_t)(cell->allocations - cell->written_allocations);
    if (accounts->sample_bytes) {
        const struct spread *spread = &accounts->spreads[id];
        row->values[4] = spread->live - spread->written;
        row->values[5] = spread->allocated - spread->written_allocated;
    }
}

static void settle(struct accounts *accounts, uint32_t id)
{
    struct cell *cell = &accounts->cells[id];
    if (accounts->sample_bytes) {
        struct spread *spread = &accounts->spreads[id];
        spread->written = spread->live;
        spread->written_allocated = spread->allocated;
    }
    cell->written_bytes = cell->bytes;
    cell->written_blocks = (int32_t)cell->blocks;
    cell->written_allocated_bytes = cell->allocated_bytes;
    cell->written_allocations = cell->allocations;
}

static void gather_changes(struct accounts *accounts, struct account *account, struct rows *rows)
{
    for (size_t i = 0; i < account->n_changed; i++) {
        uint32_t id = account->changed[i];
        struct cell *cell = &accounts->cells[id];
        if (cell->site && cell->is_changed && !cell->merged_into) { /* a merge may list it twice */
            cell->is_changed = false;
            add_row(rows, id);
        }
    }
}

/* What was gathered is in the file. */
static void settle_changes(struct accounts *accounts, struct account *account)
{
    for (size_t i = 0; i < account->n_changed; i++) {
        const struct cell *cell = &accounts->cells[account->changed[i]];
        if (cell->site && !cell->is_changed && !cell->merged_into) {
            settle(accounts, account->changed[i]);
        }
    }
    account->n_changed = 0;
    if (account->is_over) {
        uint32_t *changed = account->changed;
        account->changed = NULL;
        account->changed_capacity = 0;
        memory_free(changed);
    }
}

/* What was gathered is not in the file. */
static void gather_again(struct accounts *accounts, struct account *account)
{
    for (size_t i = 0; i < account->n_changed; i++) {
        struct cell *cell = &accounts->cells[account->changed[i]];
        cell->is_changed = cell->site && !cell->merged_into;
    }
}

static void settle_boundary(struct collector *collector, struct image *only)
{
    for (size_t i = 0; i < collector->n_images; i++) {
        struct image *image = collector->images[i];
        if (!only || image == only) {
            settle_changes(&collector->accounts, &image->account);
        }
    }
}

/* Returns the number of rows. */
static size_t write_boundary(
    struct collector *collector, int kind, struct image *only, uint64_t time_us, uint32_t name)
{
    struct buffer body = {0};
    struct rows rows = {0};
    write_logs(collector, only);
    collector->boundary =
        (struct unsettled){.only = only, .sequence = UINT64_MAX, .is_begun = true};
    for (size_t i = 0; i < collector->n_images; i++) {
        struct image *image = collector->images[i];
        if (!only || image == only) {
            gather_changes(&collector->accounts, &image->account, &rows);
        }
    }
    buffer_varint(&body, (uint64_t)kind);
    buffer_varint(&body, only ? only->process : 0);
    buffer_varint(&body, time_us);
    buffer_varint(&body, name);
    bool sampled = collector->accounts.sample_bytes != 0;
    put_rows(collector, &body, &rows, sampled ? ROWS_OF_SAMPLED_BOUNDARY : ROWS_OF_BOUNDARY,
        fill_changes, NULL);
    definitions_flush(&collector->accounts.definitions, &collector->writer);
    collector->boundary.time_us = time_us;
    collector->boundary.is_mark = kind != MT_BOUNDARY_TICK;
    collector->boundary.sequence = writer_sequence(&collector->writer);
    write_chunk(collector, sampled ? MT_CHUNK_SAMPLED_BOUNDARY : MT_CHUNK_BOUNDARY, &body);
    settle_boundary(collector, only);
    for (size_t i = 0; i < rows.count; i++) {
        accounts_tidy(&collector->accounts, rows.cells[i]);
    }
    free_rows(&rows);
    return rows.count;
}

static void thin(struct collector *collector)
{
    struct buffer dropped = {0}, body = {0};
    uint32_t ordinal, before = 0, count = 0;
    while (boundaries_thin(&collector->boundaries, &ordinal)) {
        accounts_join(&collector->accounts, ordinal);
        buffer_svarint(&dropped, (int64_t)ordinal - before);
        before = ordinal;
        count++;
    }
    if (count) {
        buffer_varint(&body, count);
        buffer_append(&body, dropped.data, dropped.size);
        write_chunk(collector, MT_CHUNK_THIN, &body);
    }
    buffer_free(&dropped);
}

/* A boundary of all processes begins an interval. */
static void begin_interval(struct collector *collector, uint64_t time_us, size_t rows, bool pin)
{
    uint32_t ordinal = boundaries_add(&collector->boundaries, time_us, rows, pin);
    collector->boundary.is_begun = false;
    if (ordinal) {
        accounts_begin(&collector->accounts, ordinal);
    }
}

static void write_boundary_of_all(
    struct collector *collector, int kind, uint64_t time_us, uint32_t name)
{
    size_t rows = write_boundary(collector, kind, NULL, time_us, name);
    collector->rows_over = 0;
    begin_interval(collector, time_us, rows, kind != MT_BOUNDARY_TICK);
    thin(collector);
}

static void write_boundary_of_one(
    struct collector *collector, int kind, struct image *image, uint64_t time_us)
{
    write_boundary(collector, kind, image, time_us, 0);
    boundaries_pass(&collector->boundaries);
    collector->boundary.is_begun = false;
}

void record_resume(struct collector *collector)
{
    struct unsettled *boundary = &collector->boundary;
    resume_logs(collector);
    if (!boundary->is_begun) {
        return;
    }
    if (boundary->sequence >= writer_sequence(&collector->writer)) {
        for (size_t i = 0; i < collector->n_images; i++) {
            gather_again(&collector->accounts, &collector->images[i]->account);
        }
    } else {
        settle_boundary(collector, boundary->only);
        if (boundary->only) {
            boundaries_pass(&collector->boundaries);
        } else {
            begin_interval(collector, boundary->time_us, 0, boundary->is_mark);
        }
    }
    boundary->is_begun = false;
}

/* ---- peaks ---- */

struct peak_scope {
    const struct account *account;
    int scope;
};

static void fill_peak(
    struct row *row, const struct accounts *accounts, uint32_t id, const void *context)
{
    const struct peak_scope *scope = context;
    const struct cell *cell = &accounts->cells[id];
    struct saved saved = accounts_at_peak(cell, scope->account, scope->scope);
    row->values[0] = saved.bytes - cell->written_bytes;
    row->values[1] = saved.blocks - cell->written_blocks;
    if (accounts->sample_bytes) {
        row->values[2] = spreads_at_peak(accounts, id, scope->account, scope->scope) -
                         accounts->spreads[id].written;
    }
}

static bool is_otherwise_at_peak(
    const struct accounts *accounts, uint32_t id, const struct peak_scope *scope)
{
    struct row row = {0};
    fill_peak(&row, accounts, id, scope);
    return row.values[0] || row.values[1] || row.values[2];
}

static void gather_peak(struct collector *collector, const struct peak_scope *scope,
    uint32_t process, struct rows *rows)
{
    struct accounts *accounts = &collector->accounts;
    for (uint32_t i = 1; i < accounts->n_cells; i++) {
        const struct cell *cell = &accounts->cells[i];
        if (!cell->site || cell->merged_into) {
            continue;
        }
        if ((!process || accounts->definitions.sites[cell->site].process == process) &&
            is_otherwise_at_peak(accounts, i, scope)) {
            add_row(rows, i);
        }
    }
}

static void write_peak(struct collector *collector, struct account *account, uint32_t process)
{
    struct peak_scope scope = {account, process ? SCOPE_PROCESS : SCOPE_ALL};
    const struct totals *totals = accounts_peak_totals(account);
    struct buffer body = {0};
    struct rows rows = {0};
    if (!account->peak.unwritten) {
        return;
    }
    account->peak.unwritten = false;
    gather_peak(collector, &scope, process, &rows);
    buffer_varint(&body, process);
    buffer_varint(&body, account->peak.time_us);
    buffer_varint(&body, totals->python);
    buffer_varint(&body, totals->native);
    buffer_varint(&body, totals->blocks);
    bool sampled = collector->accounts.sample_bytes != 0;
    put_rows(
        collector, &body, &rows, sampled ? ROWS_OF_SAMPLED_PEAK : ROWS_OF_PEAK, fill_peak, &scope);
    write_chunk(collector, sampled ? MT_CHUNK_SAMPLED_PEAK : MT_CHUNK_PEAK, &body);
    free_rows(&rows);
    if (!process) {
        uint32_t base = collector->boundaries.retained[collector->boundaries.count - 1].ordinal;
        boundaries_unpin(&collector->boundaries, collector->peak_base);
        boundaries_pin(&collector->boundaries, base);
        collector->peak_base = base;
    }
}

/* ---- timelines ---- */

static void write_timeline(
    struct collector *collector, struct image *image, uint64_t now_us, bool all)
{
    struct buffer body = {0};
    if (timeline_take(image, now_us / TIMELINE_OF_AGE, all, &body)) {
        write_chunk(collector, MT_CHUNK_TIMELINE, &body);
        if (shares_put(image, &body)) {
            write_chunk(collector, MT_CHUNK_SHARES, &body);
        }
    }
}

/* ---- moments ---- */

static void write_sizes(struct collector *collector, const struct image *image)
{
    struct buffer body = {0};
    buffer_varint(&body, image->process);
    sizes_put(&body, &image->counting->sizes);
    write_chunk(collector, MT_CHUNK_SIZES, &body);
}

void record_end(struct collector *collector, struct image *image, uint64_t time_us)
{
    image->end = image->account.now;
    write_boundary_of_one(collector, MT_BOUNDARY_END, image, time_us);
    write_sizes(collector, image);
    write_peak(collector, &collector->accounts.all, 0);
}

void record_image_end(struct collector *collector, struct image *image)
{
    struct buffer body = {0};
    if (!image->has_end) {
        image->has_end = true;
        record_end(collector, image, image->end_us);
    }
    if (collector->n_images > 1) {
        write_peak(collector, &image->account, image->process);
    }
    image->account.is_over = true;
    write_timeline(collector, image, image->end_us, true);
    buffer_varint(&body, image->process);
    buffer_varint(&body, image->end_us);
    buffer_svarint(&body, image->status);
    buffer_varint(&body, image->unknown_frees);
    buffer_varint(&body, image->duplicate_allocations);
    buffer_varint(&body, image->inherited_frees);
    buffer_varint(&body, image->gap_events);
    buffer_varint(&body, image->gap_bytes);
    buffer_varint(&body, image->events);
    buffer_varint(&body, image->max_rss);
    if (image->was_paused) {
        buffer_varint(&body, image->paused_frees);
    }
    definitions_flush(&collector->accounts.definitions, &collector->writer);
    image->end_chunk = writer_sequence(&collector->writer) + 1;
    write_chunk(collector, MT_CHUNK_PROCESS_END, &body);
}

bool record_has_image_end(const struct collector *collector, const struct image *image)
{
    return image->end_chunk && writer_sequence(&collector->writer) >= image->end_chunk;
}

static void write_sampling(struct collector *collector)
{
    struct buffer body = {0};
    buffer_varint(&body, collector->accounts.sample_bytes);
    write_chunk(collector, MT_CHUNK_SAMPLING, &body);
}

void record_start(struct collector *collector)
{
    if (collector->accounts.sample_bytes) {
        write_sampling(collector);
    }
    write_boundary_of_all(collector, MT_BOUNDARY_START, 0, 0);
}

void record_mark(struct collector *collector, uint32_t name, uint64_t time_us)
{
    write_boundary_of_all(collector, MT_BOUNDARY_MARK, time_us, name);
}

static void begin_compaction(struct collector *collector)
{
    collector->compacted_dropped = collector->boundaries.n_dropped;
    collector->compaction =
        compact_begin(&collector->writer, collector->path, &collector->boundaries);
}

static void end_compaction(struct collector *collector)
{
    if (collector->compaction) {
        compact_end(collector->compaction, &collector->writer);
        collector->compaction = NULL;
        collector->compacted_bytes = collector->writer.written;
    }
}

static bool is_worth_compacting(const struct collector *collector, uint32_t least_dropped)
{
    uint32_t dropped = collector->boundaries.n_dropped - collector->compacted_dropped;
    return !collector->keeps_events && !collector->writer.error && dropped >= least_dropped &&
           collector->writer.written >= COMPACT_BYTES;
}

/* The file is rewritten when dropped boundaries make up a good part of it. */
static void compact(struct collector *collector)
{
    if (collector->compaction) {
        if (compact_is_done(collector->compaction)) {
            end_compaction(collector);
        }
    } else if (is_worth_compacting(collector, COMPACT_DROPPED) &&
               collector->writer.written >= 2 * collector->compacted_bytes) {
        begin_compaction(collector);
    }
}

/* The last time there is nobody to keep waiting but the user. */
static void compact_at_last(struct collector *collector)
{
    end_compaction(collector);
    if (is_worth_compacting(collector, COMPACT_DROPPED / 8)) {
        begin_compaction(collector);
        end_compaction(collector);
    }
}

/* True once each time that the memory limit comes near: who is killed next may be us. */
static bool becomes_tight(struct collector *collector)
{
    bool was_tight = collector->tight;
    collector->tight = cgroup_is_tight(&collector->cgroup);
    return collector->tight && !was_tight;
}

static bool tick_is_due(const struct collector *collector, uint64_t now_us)
{
    uint64_t since = now_us - collector->ticked_us;
    if (collector->rows_over > ROWS_OVER) {
        return true;
    }
    return since >= TICK_US && since >= now_us / TICKS_OF_AGE &&
           since >= TICK_SHARE * collector->tick_cost_us;
}

void record_flush(struct collector *collector, uint64_t now_us)
{
    bool hurry = now_us == collector->sampled_us && becomes_tight(collector);
    if (hurry || tick_is_due(collector, now_us)) {
        collector->ticked_us = now_us;
        write_boundary_of_all(collector, MT_BOUNDARY_TICK, now_us, 0);
        collector->tick_cost_us = session_clock(collector) - now_us;
    }
    if (hurry || now_us - collector->flushed_us >= FLUSH_US) {
        collector->flushed_us = now_us;
        for (size_t i = 0; i < collector->n_images; i++) {
            write_timeline(collector, collector->images[i], now_us, hurry);
        }
        names_look(collector);
        regions_flush(collector);
        touched_flush(collector);
        write_peak(collector, &collector->accounts.all, 0);
        compact(collector);
    }
}

void record_last(struct collector *collector)
{
    struct reading *sources = sources_read(collector);
    write_boundary_of_all(collector, MT_BOUNDARY_LAST, session_clock(collector), 0);
    write_peak(collector, &collector->accounts.all, 0);
    regions_flush(collector);
    touched_flush(collector);
    compact_at_last(collector);
    symbols_write(collector);
    sources_write(collector, sources);
}
