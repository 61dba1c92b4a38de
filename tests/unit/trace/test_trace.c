/* What the writer writes the reader reads, and states of it add up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "trace/model.h"
#include "trace/moment.h"
#include "trace/view.h"
#include "trace/rows.h"
#include "trace/writer.h"

enum { NODES = 50000 };

static char path[] = "/tmp/memtrace-test-XXXXXX";

static void numbers(struct buffer *body, int n, ...)
{
    va_list values;
    va_start(values, n);
    while (n--)
        buffer_varint(body, (uint64_t)va_arg(values, int));
    va_end(values);
}

static void end_chunk(struct writer *writer, int kind, struct buffer *body)
{
    writer_chunk(writer, kind, body);
    body->size = 0;
}

static void write_definitions(struct writer *writer, struct buffer *body)
{
    numbers(body, 2, 2, 4);
    buffer_append(body, "a\0\xff/", 4);
    numbers(body, 1, 1);
    buffer_append(body, "f", 1);
    end_chunk(writer, MT_CHUNK_STRINGS, body);
    numbers(body, 4, 1, 1, 2, 3);
    end_chunk(writer, MT_CHUNK_FUNCTIONS, body);
    buffer_varint(body, NODES); /* one stack, as deep as there are nodes */
    for (int i = 0; i < NODES; i++)
        numbers(body, 3, i, 1, i % 3);
    end_chunk(writer, MT_CHUNK_NODES, body);
    numbers(body, 17, 2, 10, 0, 0, 0, 1, 1, 0, 1, 11, 1, 5, 1, 1, 1, 2, 2);
    end_chunk(writer, MT_CHUNK_PROCESSES, body);
    numbers(body, 11, 2, 1, 0, 2, NODES, 0, 2, 0, 3, 0, 0);
    end_chunk(writer, MT_CHUNK_SITES, body);
}

/* A boundary with a row for each of the two sites. */
static void write_boundary(struct writer *writer, struct buffer *body, int kind, int process,
    int time, const int changes[2])
{
    struct row rows[2] = {{.site = 1}, {.site = 2}};
    numbers(body, 4, kind, process, time, 0);
    for (int i = 0; i < 2; i++) {
        for (int k = 0; k < 4; k++)
            rows[i].values[k] = changes[i] * (k % 2 ? 1 : 10);
    }
    rows_put(body, rows, 2, ROWS_OF_BOUNDARY);
    end_chunk(writer, MT_CHUNK_BOUNDARY, body);
}

static void write_trace(void)
{
    struct writer writer;
    struct buffer body = {0};
    writer_open(&writer, open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600));
    write_definitions(&writer, &body);
    write_boundary(&writer, &body, MT_BOUNDARY_TICK, 0, 100, (int[]){1, 1});
    numbers(&body, 6, 0, 150, 1000, 2000, 30, 1);
    numbers(&body, 2, 2, 0);
    buffer_svarint(&body, 90);
    buffer_svarint(&body, 9);
    end_chunk(&writer, MT_CHUNK_PEAK, &body);
    write_boundary(&writer, &body, MT_BOUNDARY_END, 2, 200, (int[]){1, -1});
    write_boundary(&writer, &body, MT_BOUNDARY_LAST, 1, 300, (int[]){1, 7});
    buffer_append(&body, "{}", 2);
    end_chunk(&writer, MT_CHUNK_END, &body);
    uint64_t written = writer.written;
    assert_int_equal(writer_close(&writer), 0);
    int fd = open(path, O_RDONLY);
    assert_int_equal(lseek(fd, 0, SEEK_END), written);
    close(fd);
    buffer_free(&body);
}

static void reads_what_was_written(void **state)
{
    struct trace trace;
    assert_int_equal(trace_read(&trace, path), TRACE_OK);
    assert_true(trace.sealed);
    assert_false(trace.damaged);
    assert_string_equal(trace.end, "{}");
    assert_null(trace.meta);
    assert_int_equal(trace.n_strings, 3);
    assert_int_equal(trace.strings[1].size, 4);
    assert_memory_equal(trace.strings[1].data, "a\0\xff/", 5);
    assert_int_equal(trace.functions[1].first_line, 3);
    assert_int_equal(trace.n_nodes, NODES + 1);
    assert_int_equal(trace.nodes[NODES].parent, NODES - 1);
    assert_int_equal(trace.processes[2].pid, 11);
    assert_int_equal(trace.processes[2].parent, 1);
    assert_int_equal(trace.processes[2].origin, MT_ORIGIN_FORK);
    assert_int_equal(trace.processes[2].status, -1);
    assert_int_equal(trace.sites[1].node, NODES);
    assert_int_equal(trace.sites[2].process, 2);
    assert_int_equal(trace.n_boundaries, 3);
    assert_int_equal(trace.boundaries[1].rows[1].bytes, -10);
    assert_int_equal(trace.peaks[0].after, 1);
    assert_int_equal(trace.peaks[0].blocks, 30);
    assert_false(trace.peaks[1].present);
    trace_free(&trace);
}

static int64_t bytes_at(const struct trace *trace, const char *name, uint32_t site, bool both)
{
    struct arena arena = {0};
    struct moment moment;
    struct instant instant;
    struct state found;
    bool selected[] = {false, both || site == 1, both || site == 2};
    assert_true(moment_parse(&moment, name));
    assert_int_equal(moment_find(&instant, trace, &moment, selected), MOMENT_OK);
    state_at(&found, trace, &instant, 0, selected, &arena);
    int64_t bytes = found.cells[site].bytes;
    arena_free(&arena);
    return bytes;
}

static void adds_up_to_each_moment(void **state)
{
    struct trace trace;
    assert_int_equal(trace_read(&trace, path), TRACE_OK);
    assert_int_equal(bytes_at(&trace, "start", 1, true), 0);
    assert_int_equal(bytes_at(&trace, "end", 1, true), 30);
    assert_int_equal(bytes_at(&trace, "end", 2, true), 0);
    assert_int_equal(bytes_at(&trace, "peak", 1, true), 10);
    assert_int_equal(bytes_at(&trace, "peak", 2, true), 100);
    /* Of one process alone no peak was written: its highest boundary is the last. */
    assert_int_equal(bytes_at(&trace, "peak", 2, false), 70);
    trace_free(&trace);
}

static void counts_a_deep_recursion_once(void **state)
{
    struct trace trace;
    struct view view;
    struct view_options options = {.key = VIEW_LINENO, .cumulative = true};
    assert_true(moment_parse(&options.moment, "end"));
    assert_int_equal(trace_read(&trace, path), TRACE_OK);
    assert_int_equal(view_make(&view, &trace, &options), VIEW_OK);
    assert_int_equal(view.n_rows, 3);
    for (size_t i = 0; i < view.n_rows; i++)
        assert_int_equal(view.rows[i].amount.size, 30);
    assert_int_equal(view.total.size, 30);
    view_free(&view);
    trace_free(&trace);
}

static void says_why_it_cannot_read(void **state)
{
    struct trace trace;
    assert_int_equal(trace_read(&trace, "/"), TRACE_ERROR_DIRECTORY);
    assert_int_equal(trace_read(&trace, "/dev/null"), TRACE_ERROR_EMPTY);
    assert_int_equal(trace_read(&trace, "/proc/self/stat"), TRACE_ERROR_FOREIGN);
    assert_int_equal(trace_read(&trace, "/nonexistent"), TRACE_ERROR_OPEN);
    assert_int_equal(errno, ENOENT);
}

static void keeps_the_first_write_error(void **state)
{
    struct writer writer;
    struct buffer body = {0};
    writer_open(&writer, open("/dev/full", O_WRONLY));
    buffer_append(&body, "{}", 2);
    writer_chunk(&writer, MT_CHUNK_META, &body);
    assert_int_equal(writer.error, ENOSPC);
    assert_int_equal(writer.written, 0);
    assert_int_equal(writer_close(&writer), ENOSPC);
    buffer_free(&body);
}

static void refuses_a_chunk_too_large(void **state)
{
    struct writer writer;
    struct buffer body = {.data = calloc(1, MT_CHUNK_MAX), .size = MT_CHUNK_MAX};
    body.capacity = body.size;
    writer_open(&writer, open("/dev/null", O_WRONLY));
    writer_chunk(&writer, MT_CHUNK_META, &body);
    assert_int_equal(writer_close(&writer), EFBIG);
    buffer_free(&body);
}

static int set_up(void **state)
{
    close(mkstemp(path));
    write_trace();
    return 0;
}

static int tear_down(void **state)
{
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_was_written),
        cmocka_unit_test(adds_up_to_each_moment),
        cmocka_unit_test(counts_a_deep_recursion_once),
        cmocka_unit_test(says_why_it_cannot_read),
        cmocka_unit_test(keeps_the_first_write_error),
        cmocka_unit_test(refuses_a_chunk_too_large),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
