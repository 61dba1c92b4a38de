/*
 * Fuzzer of the trace reader and the views.  The input is a trace without its
 * framing, so that checksums are no hurdle: a chunk is a byte of kind, two of its
 * size, and its body.  It is written as a trace, read back, and all views are made
 * of it.
 *
 *     fuzz_reader with FUZZ_SEED=TRACE in the environment prints the input that the trace is of.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "memtrace/format.h"
#include "trace/chunk.h"
#include "trace/diff.h"
#include "trace/leaks.h"
#include "trace/lines.h"
#include "trace/model.h"
#include "trace/series.h"
#include "trace/stacks.h"
#include "trace/totals.h"
#include "trace/tree.h"
#include "trace/view.h"
#include "trace/writer.h"

enum { CHUNK_HEAD = 3 };

static void write_trace(int fd, const uint8_t *data, size_t size)
{
    struct writer writer;
    struct buffer body;
    writer_open(&writer, dup(fd));
    while (size >= CHUNK_HEAD) {
        size_t length = data[1] | (size_t)data[2] << 8;
        length = length < size - CHUNK_HEAD ? length : size - CHUNK_HEAD;
        body = (struct buffer){.data = (uint8_t *)data + CHUNK_HEAD, .size = length};
        writer_chunk(&writer, data[0] % MT_CHUNK_KINDS, &body);
        data += CHUNK_HEAD + length;
        size -= CHUNK_HEAD + length;
    }
    writer_close(&writer);
}

/* Moments and flags that the input chooses too, by its size and its last byte. */
static void make_views(const struct trace *trace, size_t dice)
{
    static const char *const moments[] = {
        "start", "peak", "end", "now", "0.5", "-0.1", "mark:m", "12:00"};
    enum { MOMENTS = sizeof moments / sizeof *moments };
    for (int key = 0; key < VIEW_KEYS; key++) {
        struct view view;
        struct view_options options = {.key = (enum view_key)key, .sort = VIEW_CHURN_SIZE};
        moment_parse(&options.moment, moments[(dice + (size_t)key) % MOMENTS]);
        moment_parse(&options.from, moments[dice / MOMENTS % MOMENTS]);
        options.interval = dice & 1;
        options.cumulative = view_key_has_frames(options.key) && dice & 2;
        view_make(&view, trace, &options);
        view_free(&view);
    }
}

static void make_leaks(const struct trace *trace, size_t dice)
{
    struct leaks leaks;
    struct leaks_options wanted = {.per = dice & 4 ? "m" : NULL};
    struct view_options options = {.key = dice & 8 ? VIEW_CALLER : VIEW_TRACEBACK};
    enum view_error error;
    moment_parse(&options.moment, dice & 1 ? "now" : "end");
    wanted.warm_up_given = moment_parse(&wanted.warm_up, "0.01") && dice & 2;
    leaks_make(&leaks, trace, &options, &wanted, &error);
    leaks_free(&leaks);
    struct view view;
    struct arena arena = {0};
    moment_parse(&options.moment, dice & 1 ? "peak" : "0.5");
    if (view_make(&view, trace, &options) == VIEW_OK)
        borns_make(&view, &arena);
    view_free(&view);
    arena_free(&arena);
}

static void make_trees(const struct trace *trace, size_t dice)
{
    struct tree tree;
    struct view_options options = {.key = (enum view_key)(dice % VIEW_TRACEBACK)};
    struct tree_options shape = {.inverted = dice & 8,
        .split = (enum tree_split)(dice % 3),
        .depth = (uint32_t)(dice % 5),
        .smallest = (double)(dice % 4) / 8};
    moment_parse(&options.moment, dice & 1 ? "peak" : "end");
    if (tree_make(&tree, trace, &options, &shape) == VIEW_OK)
        for (uint32_t i = 0; i < tree.n_nodes; i++)
            tree_own(&tree, i);
    tree_free(&tree);
}

/* The start or the peak of a trace against its end. */
static void make_diff(const struct trace *trace, size_t dice)
{
    struct view_options options[2] = {{.key = (enum view_key)(dice % VIEW_KEYS)}};
    struct view views[2];
    options[1] = options[0];
    moment_parse(&options[0].moment, dice & 1 ? "start" : "peak");
    moment_parse(&options[1].moment, "end");
    bool good = view_make(&views[0], trace, &options[0]) == VIEW_OK;
    good &= view_make(&views[1], trace, &options[1]) == VIEW_OK;
    if (good) {
        struct diff diff;
        const struct view *old[] = {&views[0], &views[1]};
        diff_make(&diff, old, 1 + (dice >> 1 & 1), &views[1], dice & 4, dice % 4);
        diff_free(&diff);
    }
    view_free(&views[0]);
    view_free(&views[1]);
}

static void make_totals(const struct trace *trace, size_t dice)
{
    struct view_options options = {.sort = (enum view_sort)(dice % VIEW_SORTS)};
    struct totals totals;
    struct lines lines;
    moment_parse(&options.moment, dice & 2 ? "peak" : "end");
    totals_make(&totals, trace, &options);
    totals_free(&totals);
    lines_make(&lines, trace, &options, NULL, 0, dice % 3);
    lines_free(&lines);
}

static void make_series(const struct trace *trace, size_t dice)
{
    struct series series = {0};
    if (series_of_all(&series, trace)) {
        series_window(&series, dice * 1000, dice * 100000);
        series_thin(&series, 8 + dice % 32);
        series_slope(&series, dice);
    }
    series_free(&series);
    for (uint32_t process = 1; process < trace->n_processes && process < 4; process++) {
        if (series_of_process(&series, trace, process))
            series_thin(&series, 16);
        series_free(&series);
    }
}

static int print_seed(const char *path)
{
    struct chunk_file file;
    struct cursor body;
    int kind;
    if (chunk_open(&file, path) != TRACE_OK)
        return 1;
    while (chunk_next(&file, &kind, &body) == CHUNK_GOOD) {
        size_t size = cursor_left(&body);
        uint8_t head[CHUNK_HEAD] = {(uint8_t)kind, (uint8_t)size, (uint8_t)(size >> 8)};
        fwrite(head, 1, sizeof head, stdout);
        fwrite(body.at, 1, size & 0xffff, stdout);
        chunk_accept(&file);
    }
    chunk_close(&file);
    return fflush(stdout);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    struct trace trace;
    const char *seed = getenv("FUZZ_SEED");
    if (seed)
        exit(print_seed(seed));
    int fd = memfd_create("trace", MFD_CLOEXEC);
    if (fd < 0)
        abort();
    write_trace(fd, data, size);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (trace_read(&trace, path) == TRACE_OK) {
        stacks_merge(&trace);
        make_views(&trace, size + data[size - 1]);
        make_leaks(&trace, size + data[size - 1]);
        make_series(&trace, data[size - 1]);
        make_trees(&trace, size + data[size - 1]);
        make_diff(&trace, size + data[size - 1]);
        make_totals(&trace, size + data[size - 1]);
        trace_free(&trace);
    }
    close(fd);
    return 0;
}
