/*
 * Changes what is inside the chunks of a trace, where no checksum would tell, and
 * reads it:  fuzz_reader TRACE ROUNDS.  Runs in tests, best under sanitizers; the
 * seeds are 1 to ROUNDS, so that a failure can be had again.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "trace/chunk.h"
#include "trace/model.h"
#include "trace/view.h"
#include "trace/writer.h"

static uint64_t random_state;

static uint32_t random_below(uint32_t limit)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(random_state >> 33) % limit;
}

/* One of the changes that decoders are afraid of. */
static void change(struct buffer *body)
{
    static const uint8_t bytes[] = {0, 1, 2, 0x7f, 0x80, 0xff};
    if (!body->size)
        return;
    size_t at = random_below((uint32_t)body->size);
    switch (random_below(5)) {
    case 0:
        body->data[at] = bytes[random_below(sizeof bytes)];
        break;
    case 1:
        body->data[at] ^= (uint8_t)(1u << random_below(8));
        break;
    case 2:
        body->size = at;
        break;
    case 3: /* a byte less */
        memmove(body->data + at, body->data + at + 1, body->size - at - 1);
        body->size--;
        break;
    default: /* the largest number */
        for (size_t i = at; i < body->size && i < at + 9; i++)
            body->data[i] = 0xff;
        buffer_append(body, "\x01", 1);
    }
}

/* Writes the trace once more; one chunk in ten is changed, left out or written twice. */
static void rewrite(const char *from, const char *to)
{
    struct chunk_file file;
    struct writer writer;
    struct buffer body = {0};
    struct cursor cursor;
    int kind;
    if (chunk_open(&file, from) != TRACE_OK)
        exit(2);
    writer_open(&writer, open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600));
    while (chunk_next(&file, &kind, &cursor) == CHUNK_GOOD) {
        uint32_t dice = random_below(48);
        body.size = 0;
        buffer_append(&body, cursor.at, cursor_left(&cursor));
        if (dice < 3)
            change(&body);
        if (dice != 3)
            writer_chunk(&writer, kind, &body);
        if (dice == 4)
            writer_chunk(&writer, kind, &body);
        chunk_accept(&file);
    }
    chunk_close(&file);
    writer_close(&writer);
    buffer_free(&body);
}

/* Makes all views that differ in what they walk. */
static void look(const struct trace *trace)
{
    static const char *const moments[] = {
        "start", "peak", "end", "now", "0.5", "-0.1", "mark:m", "12:00"};
    enum { MOMENTS = sizeof moments / sizeof *moments };
    for (int key = 0; key < VIEW_KEYS; key++) {
        struct view view;
        struct view_options options = {.key = (enum view_key)key, .sort = VIEW_CHURN_SIZE};
        moment_parse(&options.moment, moments[random_below(MOMENTS)]);
        moment_parse(&options.from, moments[random_below(MOMENTS)]);
        options.interval = random_below(2);
        options.cumulative = view_key_has_frames(options.key) && random_below(2);
        view_make(&view, trace, &options);
        view_free(&view);
    }
}

int main(int argc, char **argv)
{
    char path[] = "/tmp/memtrace-fuzz-XXXXXX";
    unsigned read = 0, rounds = argc == 3 ? (unsigned)atoi(argv[2]) : 0;
    if (argc != 3 || close(mkstemp(path)) < 0)
        return 2;
    for (random_state = 0; rounds; rounds--) {
        uint64_t seed = rounds;
        struct trace trace;
        random_state = seed;
        rewrite(argv[1], path);
        if (trace_read(&trace, path) != TRACE_OK)
            continue;
        look(&trace);
        read += trace.n_boundaries > 0;
        trace_free(&trace);
    }
    unlink(path);
    printf("%u had something to show\n", read);
    return read == 0;
}
