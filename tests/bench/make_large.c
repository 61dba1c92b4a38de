/*
 * Writes a trace of a size that no honest program has:
 *
 *     make_large TRACE SITES PROCESSES BOUNDARIES [spread]
 *
 * Stacks are random walks through some thousands of functions, up to 60 deep; all
 * sites are of the first of the processes but for one of each other, or spread
 * over them and a thread of each.  The same arguments give the same file.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "memtrace/format.h"
#include "memtrace/ring.h"
#include "trace/rows.h"
#include "trace/writer.h"

enum { FILES = 400, NAMES = 5000, FUNCTIONS = 20000, CHUNK = 200000, DEPTH = 60 };

static struct writer writer;
static struct buffer body;

static uint32_t below(uint32_t n)
{
    static uint64_t seed = 88172645463325252ull;
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)((seed >> 16) % n);
}

static void end_chunk(int kind)
{
    writer_chunk(&writer, kind, &body);
    body.size = 0;
}

static void put_string(const char *text)
{
    buffer_varint(&body, strlen(text));
    buffer_append(&body, text, strlen(text));
}

static void write_strings(void)
{
    char text[100];
    buffer_varint(&body, FILES + NAMES + 3);
    for (int i = 0; i < FILES; i++) {
        snprintf(text, sizeof text,
            i % 4 ? "/usr/lib/python3/dist-packages/lib%d/module_%d.py" : "/srv/app%d/part_%d.py",
            i % 17, i);
        put_string(text);
    }
    for (int i = 0; i < NAMES; i++) {
        snprintf(text, sizeof text, "Class%d.method_%d", i % 97, i);
        put_string(text);
    }
    put_string("/usr/bin/python3");
    put_string("python3");
    put_string("3.11.2");
    end_chunk(MT_CHUNK_STRINGS);
    buffer_varint(&body, FUNCTIONS);
    for (int i = 0; i < FUNCTIONS; i++) {
        buffer_varint(&body, 1 + below(FILES));
        buffer_varint(&body, 1 + FILES + below(NAMES));
        buffer_varint(&body, 1 + below(2000));
    }
    end_chunk(MT_CHUNK_FUNCTIONS);
}

/* Each stack goes on from one of those just made, so that they share their callers. */
static void write_nodes(uint32_t count)
{
    unsigned char *depths = calloc(count + 1, 1);
    if (!depths)
        abort();
    for (uint32_t i = 1; i <= count;) {
        uint32_t n = count - i + 1 < CHUNK ? count - i + 1 : CHUNK;
        buffer_varint(&body, n);
        for (; n; n--, i++) {
            uint32_t parent = i < 2 ? 0 : i - 1 - below(i < 50 ? i - 1 : 50);
            parent = depths[parent] >= DEPTH ? 0 : parent;
            depths[i] = (unsigned char)(depths[parent] + 1);
            buffer_varint(&body, parent);
            buffer_varint(&body, 1 + below(FUNCTIONS));
            buffer_varint(&body, 1 + below(3000));
        }
        end_chunk(MT_CHUNK_NODES);
    }
    free(depths);
}

static void write_processes(uint32_t count)
{
    buffer_varint(&body, count);
    for (uint32_t i = 0; i < count; i++) {
        const uint64_t fields[] = {1000 + i, i ? 1 : 0, i, i ? MT_ORIGIN_FORK : MT_ORIGIN_EXEC,
            FILES + NAMES + 1, FILES + NAMES + 2, FILES + NAMES + 3, MT_PYTHON_TRACED};
        for (size_t k = 0; k < sizeof fields / sizeof *fields; k++)
            buffer_varint(&body, fields[k]);
    }
    end_chunk(MT_CHUNK_PROCESSES);
}

static void write_threads(uint32_t processes)
{
    buffer_varint(&body, processes);
    for (uint32_t i = 1; i <= processes; i++) {
        const uint64_t fields[] = {i, 1000 + i, 0, i};
        for (size_t k = 0; k < sizeof fields / sizeof *fields; k++)
            buffer_varint(&body, fields[k]);
    }
    end_chunk(MT_CHUNK_THREADS);
}

static void write_sites(uint32_t count, uint32_t processes, bool spread)
{
    for (uint32_t i = 1; i <= count;) {
        uint32_t n = count - i + 1 < CHUNK ? count - i + 1 : CHUNK;
        buffer_varint(&body, n);
        for (; n; n--, i++) {
            uint32_t process = spread ? 1 + (i - 1) % processes : i <= processes ? i : 1;
            buffer_varint(&body, process);
            buffer_varint(&body, spread ? process : 0);
            buffer_varint(&body, i % 5 ? MT_DOMAIN_OBJ : MT_DOMAIN_MALLOC);
            buffer_varint(&body, i);
            buffer_varint(&body, 0);
        }
        end_chunk(MT_CHUNK_SITES);
    }
}

static void write_boundary(int kind, uint32_t process, uint32_t birth, uint64_t time_us,
    uint32_t first, uint32_t step, uint32_t last)
{
    struct row *rows = calloc((last - first) / step + 2, sizeof *rows);
    size_t n = 0;
    if (!rows)
        abort();
    for (uint32_t site = first; site <= last; site += step) {
        int64_t count = 1 + below(50), bytes = count * (16 + below(4000));
        rows[n++] = (struct row){site, birth, {bytes, count, 3 * bytes, 3 * count}};
    }
    buffer_varint(&body, (uint64_t)kind);
    buffer_varint(&body, process);
    buffer_varint(&body, time_us);
    buffer_varint(&body, 0);
    rows_put(&body, rows, n, ROWS_OF_BOUNDARY);
    end_chunk(MT_CHUNK_BOUNDARY);
    free(rows);
}

static void write_ends(uint32_t processes, uint64_t time_us)
{
    for (uint32_t i = 1; i <= processes; i++) {
        write_boundary(MT_BOUNDARY_END, i, 0, time_us + i, i, 1, i);
        buffer_varint(&body, i);
        buffer_varint(&body, time_us + i);
        for (int k = 0; k < 8; k++)
            buffer_varint(&body, 0);
        end_chunk(MT_CHUNK_PROCESS_END);
    }
}

static void write_timelines(uint32_t processes, uint64_t time_us)
{
    for (uint32_t i = 1; i <= processes; i++) {
        uint64_t samples = i == 1 ? 5000 : 20;
        buffer_varint(&body, i);
        buffer_varint(&body, samples);
        for (uint64_t k = 0; k < samples; k++) {
            buffer_svarint(&body, (int64_t)(time_us / samples));
            for (int field = 0; field < 6; field++)
                buffer_svarint(&body, below(1000));
        }
        end_chunk(MT_CHUNK_TIMELINE);
    }
}

int main(int argc, char **argv)
{
    bool spread = argc == 6 && strcmp(argv[5], "spread") == 0;
    int fd = argc == 5 || spread ? open(argv[1], O_WRONLY | O_CREAT | O_TRUNC, 0600) : -1;
    if (fd < 0) {
        fputs("usage: make_large TRACE SITES PROCESSES BOUNDARIES [spread]\n", stderr);
        return 2;
    }
    uint32_t sites = (uint32_t)atoi(argv[2]), processes = (uint32_t)atoi(argv[3]);
    uint32_t boundaries = (uint32_t)atoi(argv[4]);
    writer_open(&writer, fd);
    buffer_append(&body, "{}", 2);
    end_chunk(MT_CHUNK_META);
    write_strings();
    write_nodes(sites);
    write_processes(processes);
    if (spread)
        write_threads(processes);
    write_sites(sites, processes, spread);
    write_timelines(processes, boundaries * 1000000ull);
    for (uint32_t i = 0; i < boundaries; i++) /* all sites are in the first, some in the others */
        write_boundary(MT_BOUNDARY_TICK, 0, i, i * 1000000ull, 1 + i % 7, i ? 20 : 1, sites);
    write_ends(processes, boundaries * 1000000ull);
    buffer_append(&body, "{}", 2);
    end_chunk(MT_CHUNK_END);
    buffer_free(&body);
    return writer_close(&writer) ? 1 : 0;
}
