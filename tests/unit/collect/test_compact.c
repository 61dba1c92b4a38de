/*
 * A trace before and after compaction says the same: at every retained boundary
 * for every site and birth, at the ends of processes and at the peaks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collect/boundaries.h"
#include "collect/compact.h"
#include "collect/definitions.h"
#include "memtrace/format.h"
#include "trace/model.h"
#include "trace/rows.h"

#define SITES 40u
#define PROCESSES 3u
#define BOUNDARIES 700

struct world {
    char path[64];
    struct writer writer;
    struct boundaries boundaries;
    struct definitions definitions;
};

static void start(struct world *world)
{
    memset(world, 0, sizeof(*world));
    strcpy(world->path, "/tmp/memtrace-compact-XXXXXX");
    writer_open(&world->writer, mkstemp(world->path));
    definitions_init(&world->definitions);
    struct buffer meta = {0};
    buffer_append(&meta, "{}", 2);
    writer_chunk(&world->writer, MT_CHUNK_META, &meta);
    buffer_free(&meta);
    for (uint32_t p = 0; p < PROCESSES; p++) {
        struct process_record process = {.pid = 100 + (int)p};
        definitions_process(&world->definitions, &process);
    }
    for (uint32_t i = 0; i < SITES; i++) {
        struct site_record site = {.process = 1 + i % PROCESSES, .domain = i % 4};
        site.thread = definitions_thread(&world->definitions, site.process, 200 + (int)i, 0, 0);
        definitions_site(&world->definitions, &site);
    }
    definitions_flush(&world->definitions, &world->writer);
}

/* Rows of a process (0: of all) with births among those that began so far and are retained. */
static void put_rows(struct world *world, struct buffer *body, uint32_t process, int values)
{
    static struct row rows[SITES * 200];
    const struct boundaries *b = &world->boundaries;
    size_t count = 0;
    for (uint32_t site = 1; site < world->definitions.n_sites; site++) {
        if ((process && world->definitions.sites[site].process != process) || rand() % 2) {
            continue;
        }
        for (size_t i = 0; i < b->count; i++) {
            if (rand() % (int)b->count > 3) {
                continue;
            }
            rows[count] = (struct row){.site = site, .birth = b->retained[i].ordinal};
            for (int v = 0; v < values; v++) {
                rows[count].values[v] = rand() % 1000 - (v < 2 ? 400 : 0);
            }
            count++;
        }
    }
    rows_put(body, rows, count, values);
}

static void put_boundary(struct world *world, int kind, uint32_t process, uint64_t time)
{
    struct buffer body = {0};
    buffer_varint(&body, (uint64_t)kind);
    buffer_varint(&body, process);
    buffer_varint(&body, time);
    buffer_varint(&body, 0);
    put_rows(world, &body, process, ROWS_OF_BOUNDARY);
    writer_chunk(&world->writer, MT_CHUNK_BOUNDARY, &body);
    buffer_free(&body);
    if (process) {
        boundaries_pass(&world->boundaries);
    } else {
        boundaries_add(&world->boundaries, time, 10, kind != MT_BOUNDARY_TICK);
    }
}

static void put_peak(struct world *world, uint32_t process)
{
    struct buffer body = {0};
    buffer_varint(&body, process);
    for (int i = 0; i < 4; i++) {
        buffer_varint(&body, (uint64_t)rand() % 1000);
    }
    put_rows(world, &body, process, ROWS_OF_PEAK);
    writer_chunk(&world->writer, MT_CHUNK_PEAK, &body);
    buffer_free(&body);
}

static void thin(struct world *world)
{
    uint32_t ordinal;
    while (boundaries_thin(&world->boundaries, &ordinal)) {
        struct buffer body = {0};
        buffer_varint(&body, 1);
        buffer_svarint(&body, ordinal);
        writer_chunk(&world->writer, MT_CHUNK_THIN, &body);
        buffer_free(&body);
    }
}

static void write_some(struct world *world, uint64_t from, uint64_t to)
{
    static uint32_t peak_base;
    for (uint64_t i = from; i < to; i++) {
        put_boundary(world, rand() % 50 ? MT_BOUNDARY_TICK : MT_BOUNDARY_MARK, 0, i * 1000);
        thin(world);
        if (rand() % 60 == 0) {
            put_boundary(world, MT_BOUNDARY_END, 1 + (uint32_t)rand() % PROCESSES, i * 1000);
        }
        if (rand() % 20 == 0) {
            put_peak(world, 0);
            boundaries_unpin(&world->boundaries, peak_base);
            peak_base = world->boundaries.retained[world->boundaries.count - 1].ordinal;
            boundaries_pin(&world->boundaries, peak_base);
        }
    }
}

/* Sums by (site, birth) up to boundary i of the trace; births fit in a table. */
static void add_rows(int64_t *state, const struct trace_row *rows, size_t count)
{
    for (size_t k = 0; k < count; k++) {
        state[rows[k].site * 2000 + rows[k].birth] += rows[k].bytes + 7 * rows[k].blocks
            + 49 * rows[k].allocated_bytes + 343 * rows[k].allocations;
    }
}

static int64_t *new_state(void)
{
    return calloc((SITES + 1) * 2000, sizeof(int64_t));
}

/* At the end of a process only its own sites count. */
static void compare_states(const struct trace *trace, const int64_t *a, const int64_t *b, uint32_t p)
{
    for (uint32_t site = 1; site < trace->n_sites; site++) {
        if (p == 0 || trace->sites[site].process == p) {
            assert_memory_equal(&a[site * 2000], &b[site * 2000], 2000 * sizeof(int64_t));
        }
    }
}

static void compare_boundaries(const struct trace *old, const struct trace *new)
{
    int64_t *a = new_state(), *b = new_state();
    size_t compared = 0;
    assert_int_equal(old->n_boundaries, new->n_boundaries);
    for (size_t i = 0; i < old->n_boundaries; i++) {
        add_rows(a, old->boundaries[i].rows, old->boundaries[i].count);
        add_rows(b, new->boundaries[i].rows, new->boundaries[i].count);
        assert_int_equal(old->boundaries[i].dropped, new->boundaries[i].dropped);
        if (!old->boundaries[i].dropped) {
            compare_states(old, a, b, old->boundaries[i].process);
            compared++;
        }
    }
    assert_true(compared > 100);
    free(a);
    free(b);
}

static void state_at_peak(const struct trace *trace, int64_t *state)
{
    const struct trace_peak *peak = &trace->peaks[0];
    for (size_t i = 0; i < peak->after; i++) {
        add_rows(state, trace->boundaries[i].rows, trace->boundaries[i].count);
    }
    add_rows(state, peak->rows, peak->count);
}

static void same_before_and_after(void **state)
{
    static struct world world;
    struct trace old, new;
    for (unsigned seed = 1; seed <= 3; seed++) {
        srand(seed);
        start(&world);
        put_boundary(&world, MT_BOUNDARY_START, 0, 0);
        write_some(&world, 1, BOUNDARIES);
        struct stat status;
        assert_int_equal(fchmod(world.writer.fd, 0640), 0);
        struct compaction *job = compact_begin(&world.writer, world.path, &world.boundaries);
        assert_non_null(job);
        write_some(&world, BOUNDARIES, BOUNDARIES + 50);
        assert_int_equal(trace_read(&old, world.path), TRACE_OK);
        uint64_t before = world.writer.written;
        compact_end(job, &world.writer);
        assert_int_equal(stat(world.path, &status), 0);
        assert_int_equal(status.st_mode & 0777, 0640);
        assert_true(world.writer.written < before);
        assert_int_equal(trace_read(&new, world.path), TRACE_OK);
        assert_false(new.damaged);
        compare_boundaries(&old, &new);
        int64_t *a = new_state(), *b = new_state();
        state_at_peak(&old, a);
        state_at_peak(&new, b);
        compare_states(&old, a, b, 0);
        free(a);
        free(b);
        trace_free(&old);
        trace_free(&new);
        assert_int_equal(writer_close(&world.writer), 0);
        boundaries_free(&world.boundaries);
        definitions_free(&world.definitions);
        unlink(world.path);
    }
}

static void thinning_keeps_recent_ones_dense(void **state)
{
    struct boundaries boundaries = {0};
    uint32_t ordinal;
    for (uint64_t i = 0; i < 100000; i++) {
        boundaries_add(&boundaries, i * 1000000, 1, i == 777);
        while (boundaries_thin(&boundaries, &ordinal)) {
        }
    }
    assert_true(boundaries.count <= BOUNDARIES_RETAINED + 2);
    assert_true(boundaries.count > BOUNDARIES_RETAINED - 8);
    assert_int_equal(boundaries.retained[0].time_us, 0);
    bool kept = false;
    for (size_t i = 1; i < boundaries.count; i++) {
        uint64_t gap = boundaries.retained[i].time_us - boundaries.retained[i - 1].time_us;
        uint64_t age = 100000ull * 1000000 - boundaries.retained[i - 1].time_us;
        assert_true(gap <= age / 4 + 2000000);
        kept |= boundaries.retained[i].ordinal == 777;
    }
    assert_true(kept);
    boundaries_free(&boundaries);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_before_and_after),
        cmocka_unit_test(thinning_keeps_recent_ones_dense),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
