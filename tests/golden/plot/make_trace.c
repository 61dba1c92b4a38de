/*
 * Writes the traces that the tests of `memtrace plot` draw, by name:
 *     make_trace NAME FILE
 * Deterministic; no Python.
 */
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trace/writer.h"
#include "memtrace/format.h"

enum { MiB = 1 << 20 };

struct sample {
    uint64_t time_us, rss, python, native, mapped, arenas, high;
};

struct shape { /* one process of a trace */
    double start_s, end_s, step_s;
    void (*fill)(struct sample *sample, double part, double size);
    double size; /* bytes at the most */
    const char *command;
    size_t command_size;
    int pid;
};

static uint64_t noise(uint64_t seed)
{
    seed = (seed + 0x9e3779b97f4a7c15u) * 0xbf58476d1ce4e5b9u;
    return (seed ^ seed >> 31) * 0x94d049bb133111ebu >> 40;
}

static void grow(struct sample *sample, double part, double size)
{
    double stairs = floor(part * 40) / 40;
    sample->python = (uint64_t)(size * (0.05 + 0.5 * part * (part > 0.96 ? 0.96 : 1)));
    sample->native = (uint64_t)(size * 0.4 * stairs + size * 0.02);
    sample->mapped = (uint64_t)(size * 0.01);
}

static void hill(struct sample *sample, double part, double size)
{
    double up = exp(-pow((part - 0.45) / 0.18, 2));
    sample->python = (uint64_t)(size * (0.1 + 0.35 * up + 0.08 * part));
    sample->native = (uint64_t)(size * (0.04 + 0.5 * pow(up, 6)));
    sample->mapped = (uint64_t)(size * (part > 0.3 ? 0.3 : 0.1));
}

static void saw(struct sample *sample, double part, double size)
{
    double tooth = fmod(part * 14, 1);
    sample->python = (uint64_t)(size * (0.15 + 0.6 * tooth));
    sample->native = (uint64_t)(size * (0.1 + 0.1 * part));
}

static void flat(struct sample *sample, double part, double size)
{
    sample->python = (uint64_t)(size * 0.7 * (part < 0.1 ? part * 10 : 1));
    sample->native = (uint64_t)(size * 0.3 * (part < 0.05 ? part * 20 : 1));
}

#define COMMAND(text) text, sizeof text - 1
static const char python[] = "3.11.2";

struct scene {
    const char *name;
    size_t n;
    struct shape shapes[12];
};
static const struct scene scenes[] = {
    {"growth", 1,
        {{0, 12.4, 0.01, grow, 200.0 * MiB,
            COMMAND("/usr/bin/python3.11\0app.py\0--items\0"
                    "40"),
            4242}}},
    {"middle", 1,
        {{0, 41, 0.01, hill, 320.0 * MiB,
            COMMAND("/srv/venv/bin/python3\0/srv/app/report.py\0--month=2024-04"), 4242}}},
    {"sawtooth", 1,
        {{0, 30, 0.01, saw, 90.0 * MiB, COMMAND("python3\0-m\0worker\0--queue\0jobs"), 77}}},
    {"three", 3,
        {{0, 20, 0.01, flat, 60.0 * MiB, COMMAND("python3\0serve.py"), 100},
            {2, 15, 0.01, grow, 120.0 * MiB, COMMAND("python3\0serve.py"), 101},
            {4.005, 20, 0.01, hill, 150.0 * MiB, COMMAND("python3\0-c\0from x import y"), 102}}},
    {"hour", 1, {{0, 3700, 0.05, hill, 700.0 * MiB, COMMAND("python3\0train.py"), 5}}},
    {"short", 1, {{0, 0.05, 0.01, grow, 9.0 * MiB, COMMAND("python3\0hello.py"), 6}}},
    {"gib", 1, {{0, 600, 0.1, grow, 14.3 * 1024 * MiB, COMMAND("python3\0fit.py"), 7}}},
    {"tiny", 1, {{0, 2, 0.01, flat, 3000, COMMAND("python3\0-c\0pass"), 8}}},
    {"small", 1,
        {{0, 2, 0.1, grow, 90.0 * MiB,
            COMMAND("/usr/bin/python3.11\0app.py\0--items\0"
                    "40"),
            4242}}},
    {"empty", 1, {{0, 0, 0.01, flat, 0, COMMAND("python3\0-c\0pass"), 9}}},
    {"hostile", 2,
        {{0, 2, 0.1, grow, 90.0 * MiB,
             COMMAND("python3\0`touch executed`\0'\"$(touch executed)\n!touch executed\0"
                     "x_1^2{a}@b \x1b[31m \xff <&>\\"),
             10},
            {0.5, 2, 0.1, grow, 50.0 * MiB,
                COMMAND("';system('touch executed')#\0`touch executed`\n{_^@}"), 11}}},
    {"many", 12,
        {{0, 9, 0.1, flat, 40.0 * MiB, COMMAND("python3\0pool.py"), 20},
            {1, 8, 0.1, grow, 11.0 * MiB, COMMAND("python3\0pool.py"), 21},
            {1, 8, 0.1, grow, 12.0 * MiB, COMMAND("python3\0pool.py"), 22},
            {1, 8, 0.1, saw, 13.0 * MiB, COMMAND("python3\0pool.py"), 23},
            {1, 8, 0.1, grow, 14.0 * MiB, COMMAND("python3\0pool.py"), 24},
            {1, 8, 0.1, hill, 15.0 * MiB, COMMAND("python3\0pool.py"), 25},
            {2, 7, 0.1, grow, 16.0 * MiB, COMMAND("python3\0pool.py"), 26},
            {2, 7, 0.1, saw, 17.0 * MiB, COMMAND("python3\0pool.py"), 27},
            {2, 7, 0.1, grow, 18.0 * MiB, COMMAND("python3\0pool.py"), 28},
            {3, 8, 0.1, flat, 19.0 * MiB, COMMAND("/bin/sh\0-c\0sleep 1"), 29},
            {3, 8, 0.1, flat, 2.0 * MiB, COMMAND("/bin/sh\0-c\0sleep 1"), 30},
            {3, 8, 0.1, flat, 1.0 * MiB, COMMAND("/bin/sh\0-c\0sleep 1"), 31}}},
};

static struct sample take(const struct shape *shape, size_t i, size_t count)
{
    double part = (double)i / (double)(count - 1);
    struct sample sample = {0};
    shape->fill(&sample, part, shape->size);
    uint64_t live = sample.python + sample.native, random = noise(i + (uint64_t)shape->pid);
    sample.time_us = (uint64_t)((shape->start_s + part * (shape->end_s - shape->start_s)) * 1e6);
    sample.arenas = sample.python;
    sample.rss = (uint64_t)((double)live * 1.06) + (shape->size > MiB ? 9 * MiB : 4096);
    sample.high = live;
    if (random % 200 < 3)
        sample.high += (uint64_t)((double)(random % 64) / 64 * shape->size * 0.12);
    return sample;
}

static void add_string(struct buffer *body, const char *data, size_t size)
{
    buffer_varint(body, size);
    buffer_append(body, data, size);
}

static void write_definitions(struct writer *writer, const struct scene *scene)
{
    static const char meta[] = "{\"start\": 1715682151.5, \"host\": \"laptop\"}";
    struct buffer body = {0};
    buffer_append(&body, meta, sizeof meta - 1);
    writer_chunk(writer, MT_CHUNK_META, &body);
    body.size = 0;
    buffer_varint(&body, scene->n + 1);
    add_string(&body, python, sizeof python - 1);
    for (size_t p = 0; p < scene->n; p++)
        add_string(&body, scene->shapes[p].command, scene->shapes[p].command_size);
    writer_chunk(writer, MT_CHUNK_STRINGS, &body);
    body.size = 0;
    buffer_varint(&body, scene->n);
    for (size_t p = 0; p < scene->n; p++) {
        const struct shape *shape = &scene->shapes[p];
        uint64_t fields[] = {(uint64_t)shape->pid, p ? 1 : 0, (uint64_t)(shape->start_s * 1e6),
            MT_ORIGIN_EXEC, 0, p + 2, shape->command[0] == '/' && shape->command[1] == 'b' ? 0 : 1,
            0};
        for (size_t f = 0; f < sizeof fields / sizeof *fields; f++)
            buffer_varint(&body, fields[f]);
    }
    writer_chunk(writer, MT_CHUNK_PROCESSES, &body);
    buffer_free(&body);
}

static void write_samples(struct writer *writer, const struct scene *scene, size_t process)
{
    const struct shape *shape = &scene->shapes[process];
    size_t count = (size_t)((shape->end_s - shape->start_s) / shape->step_s + 1.5);
    if (shape->end_s <= shape->start_s)
        return;
    struct buffer body = {0};
    for (size_t from = 0; from < count; from += 1000) {
        size_t n = count - from < 1000 ? count - from : 1000;
        struct sample before = {0};
        body.size = 0;
        buffer_varint(&body, process + 1);
        buffer_varint(&body, n);
        for (size_t i = from; i < from + n; i++) {
            struct sample now = take(shape, i, count);
            uint64_t a[sizeof now / sizeof(uint64_t)], b[sizeof now / sizeof(uint64_t)];
            memcpy(a, &before, sizeof a);
            memcpy(b, &now, sizeof b);
            for (size_t f = 0; f < sizeof a / sizeof *a; f++)
                buffer_svarint(&body, (int64_t)(b[f] - a[f]));
            before = now;
        }
        writer_chunk(writer, MT_CHUNK_TIMELINE, &body);
    }
    buffer_free(&body);
}

/* The highest sample of a single process, a little later and higher than the sample says. */
static void write_peak(struct writer *writer, const struct scene *scene)
{
    const struct shape *shape = &scene->shapes[0];
    size_t count = (size_t)((shape->end_s - shape->start_s) / shape->step_s + 1.5);
    struct sample most = {0};
    if (scene->n != 1 || shape->end_s <= shape->start_s)
        return;
    for (size_t i = 0; i < count; i++) {
        struct sample now = take(shape, i, count);
        if (now.high > most.high)
            most = now;
    }
    struct buffer body = {0};
    uint64_t fields[] = {0, most.time_us - 3000, most.python, most.high - most.python, 1000, 0};
    for (size_t f = 0; f < sizeof fields / sizeof *fields; f++)
        buffer_varint(&body, fields[f]);
    writer_chunk(writer, MT_CHUNK_PEAK, &body);
    buffer_free(&body);
}

static void write_ends(struct writer *writer, const struct scene *scene)
{
    static const char end[] = "{}";
    struct buffer body = {0};
    for (size_t p = 0; p < scene->n; p++) {
        body.size = 0;
        buffer_varint(&body, p + 1);
        buffer_varint(&body, (uint64_t)(scene->shapes[p].end_s * 1e6));
        buffer_svarint(&body, 0);
        for (int f = 0; f < 7; f++)
            buffer_varint(&body, 0);
        writer_chunk(writer, MT_CHUNK_PROCESS_END, &body);
    }
    body.size = 0;
    buffer_append(&body, end, sizeof end - 1);
    writer_chunk(writer, MT_CHUNK_END, &body);
    buffer_free(&body);
}

int main(int argc, char **argv)
{
    const struct scene *scene = NULL;
    for (size_t i = 0; argc == 3 && i < sizeof scenes / sizeof *scenes; i++)
        if (strcmp(argv[1], scenes[i].name) == 0)
            scene = &scenes[i];
    int fd = scene ? open(argv[2], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;
    if (fd < 0) {
        fprintf(stderr, "usage: make_trace NAME FILE\n");
        return 2;
    }
    struct writer writer;
    writer_open(&writer, fd);
    write_definitions(&writer, scene);
    for (size_t p = 0; p < scene->n; p++)
        write_samples(&writer, scene, p);
    write_peak(&writer, scene);
    write_ends(&writer, scene);
    return writer_close(&writer) ? 1 : 0;
}
