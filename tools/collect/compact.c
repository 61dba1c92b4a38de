/*
 * Compaction of the trace file (compact.h).  In the collector; the thread works
 * on copies and files of its own.
 */
#include "collect/compact.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collect/memory.h"
#include "memtrace/format.h"
#include "trace/chunk.h"
#include "trace/rows.h"

struct rows {
    struct row *rows;
    size_t count, capacity;
};

/* Sites of one process in a row, from this one to the next run's: a process has most of its sites
   in one, and those of the many that have ended take no room each. */
struct run {
    uint32_t first, process;
};

struct compaction {
    pthread_t thread;
    _Atomic bool done;
    bool failed;
    char *path, *new_path;
    uint64_t chunks; /* of the old file that the thread works on */
    uint32_t ordinals;
    bool *retained;       /* by ordinal; those of single processes are */
    uint32_t *born_after; /* by ordinal: what a birth counts as */
    struct run *runs;
    size_t n_runs, runs_capacity;
    uint32_t n_sites;
    uint64_t last_peak; /* number of the chunk with the last peak of all */
    struct writer out;
    struct rows waiting; /* changes of dropped boundaries, sorted */
    uint32_t ordinal;    /* of the next boundary */
};

/* ---- rows ---- */

static int by_site(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    if (x->site != y->site) {
        return x->site < y->site ? -1 : 1;
    }
    return x->birth < y->birth ? -1 : x->birth > y->birth;
}

static void add_row(struct rows *rows, const struct row *row)
{
    rows->rows = memory_grow(rows->rows, &rows->capacity, rows->count + 1, sizeof(*rows->rows));
    rows->rows[rows->count++] = *row;
}

/* Sorts, and adds up what is of the same site and birth. */
static void settle(struct rows *rows)
{
    size_t kept = 0;
    if (!rows->count) {
        return;
    }
    qsort(rows->rows, rows->count, sizeof(*rows->rows), by_site);
    for (size_t i = 1; i < rows->count; i++) {
        if (by_site(&rows->rows[kept], &rows->rows[i]) != 0) {
            rows->rows[++kept] = rows->rows[i];
            continue;
        }
        for (int v = 0; v < ROWS_VALUES; v++) {
            rows->rows[kept].values[v] += rows->rows[i].values[v];
        }
    }
    rows->count = kept + 1;
}

static void read_rows(
    const struct compaction *job, struct cursor *body, struct rows *rows, int values)
{
    size_t count = cursor_count(body, 2 + (size_t)values), first = rows->count;
    rows->rows = memory_grow(rows->rows, &rows->capacity, first + count, sizeof(*rows->rows));
    if (count) { /* or there may be none at all */
        memset(rows->rows + first, 0, count * sizeof(*rows->rows));
    }
    rows_get(body, rows->rows + first, count, values, UINT32_MAX, UINT32_MAX);
    for (size_t i = first; i < first + count; i++) {
        uint32_t birth = rows->rows[i].birth;
        rows->rows[i].birth = birth < job->ordinals ? job->born_after[birth] : 0;
    }
    rows->count += count;
}

static void add_site(struct compaction *job, uint32_t process)
{
    if (!job->n_runs || job->runs[job->n_runs - 1].process != process) {
        job->runs =
            memory_grow(job->runs, &job->runs_capacity, job->n_runs + 1, sizeof(*job->runs));
        job->runs[job->n_runs++] = (struct run){job->n_sites, process};
    }
    job->n_sites++;
}

/* 0 of a site that the file has not named. */
static uint32_t process_of(const struct compaction *job, uint64_t site)
{
    size_t low = 0, high = job->n_runs;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        *(job->runs[middle].first <= site ? &low : &high) = middle;
    }
    return site < job->n_sites ? job->runs[low].process : 0;
}

/* Moves the waiting changes of a process, or of all (0), into rows. */
static void take_waiting(struct compaction *job, uint32_t process, struct rows *rows)
{
    size_t kept = 0;
    for (size_t i = 0; i < job->waiting.count; i++) {
        struct row *row = &job->waiting.rows[i];
        if (!process || process_of(job, row->site) == process) {
            add_row(rows, row);
        } else {
            job->waiting.rows[kept++] = *row;
        }
    }
    job->waiting.count = kept;
}

/* ---- chunks ---- */

static void note_sites(struct compaction *job, struct cursor *body)
{
    size_t count = cursor_count(body, 5);
    for (size_t i = 0; i < count; i++) {
        add_site(job, (uint32_t)cursor_varint(body));
        for (int field = 1; field < 5; field++) {
            cursor_varint(body);
        }
    }
}

static void copy_boundary(struct compaction *job, int chunk, struct cursor *body)
{
    int values = chunk == MT_CHUNK_BOUNDARY ? ROWS_OF_BOUNDARY : ROWS_OF_SAMPLED_BOUNDARY;
    struct buffer out = {0};
    struct rows rows = {0};
    uint64_t kind = cursor_varint(body);
    uint64_t process = cursor_varint(body), time = cursor_varint(body), name = cursor_varint(body);
    uint32_t ordinal = job->ordinal++;
    bool retained = ordinal < job->ordinals && job->retained[ordinal];
    if (retained) {
        read_rows(job, body, &rows, values);
        take_waiting(job, (uint32_t)process, &rows);
        settle(&rows);
    } else {
        read_rows(job, body, &job->waiting, values);
        settle(&job->waiting);
    }
    buffer_varint(&out, retained ? kind : MT_BOUNDARY_DROPPED);
    buffer_varint(&out, process);
    buffer_varint(&out, time);
    buffer_varint(&out, name);
    rows_put(&out, rows.rows, rows.count, values);
    writer_chunk(&job->out, chunk, &out);
    buffer_free(&out);
    memory_free(rows.rows);
}

/* Only the last peak of all is of use, and those of processes, which are written once. */
static void copy_peak(struct compaction *job, int chunk, struct cursor *body, bool is_last)
{
    int values = chunk == MT_CHUNK_PEAK ? ROWS_OF_PEAK : ROWS_OF_SAMPLED_PEAK;
    struct buffer out = {0};
    struct rows rows = {0};
    uint64_t process = cursor_varint(body);
    if (!process && !is_last) {
        return;
    }
    buffer_varint(&out, process);
    for (int i = 0; i < 4; i++) {
        buffer_varint(&out, cursor_varint(body));
    }
    read_rows(job, body, &rows, values);
    settle(&rows);
    rows_put(&out, rows.rows, rows.count, values);
    writer_chunk(&job->out, chunk, &out);
    buffer_free(&out);
    memory_free(rows.rows);
}

static void copy_chunk(struct compaction *job, int kind, struct cursor *body, uint64_t number)
{
    if (kind == MT_CHUNK_BOUNDARY || kind == MT_CHUNK_SAMPLED_BOUNDARY) {
        copy_boundary(job, kind, body);
    } else if (kind == MT_CHUNK_PEAK || kind == MT_CHUNK_SAMPLED_PEAK) {
        copy_peak(job, kind, body, number == job->last_peak);
    } else if (kind != MT_CHUNK_THIN) {
        struct buffer same = {.data = (uint8_t *)body->at, .size = cursor_left(body)};
        if (kind == MT_CHUNK_SITES) {
            note_sites(job, body);
        }
        writer_chunk(&job->out, kind, &same);
    }
}

/* Calls `each` for the chunks of the old file from `from` on, `count` of them. */
static bool walk(struct compaction *job, uint64_t from, uint64_t count,
    void (*each)(struct compaction *, int, struct cursor *, uint64_t))
{
    struct chunk_file file;
    struct cursor body;
    int kind;
    if (chunk_open(&file, job->path) != TRACE_OK) {
        chunk_close(&file);
        return false;
    }
    uint64_t number = 0;
    while (number < from + count && chunk_next(&file, &kind, &body) == CHUNK_GOOD) {
        if (number >= from) {
            each(job, kind, &body, number);
        }
        chunk_accept(&file);
        number++;
    }
    chunk_close(&file);
    return number == from + count;
}

static void find_last_peak(struct compaction *job, int kind, struct cursor *body, uint64_t number)
{
    bool is_peak = kind == MT_CHUNK_PEAK || kind == MT_CHUNK_SAMPLED_PEAK;
    if (is_peak && cursor_varint(body) == 0) {
        job->last_peak = number;
    }
}

static void *work(void *data)
{
    struct compaction *job = data;
    memory_apart();   /* the collector's is not ours to share */
    add_site(job, 0); /* there is none of this number */
    job->failed = !walk(job, 0, job->chunks, find_last_peak) ||
                  !walk(job, 0, job->chunks, copy_chunk) || job->waiting.count || job->out.error;
    atomic_store(&job->done, true);
    return NULL;
}

/* ---- beginning and end ---- */

static void plan(struct compaction *job, const struct boundaries *boundaries)
{
    uint32_t last = 0;
    size_t next = 0;
    job->ordinals = boundaries->next_ordinal;
    job->retained = memory_zeroed(job->ordinals + 1, sizeof(*job->retained));
    job->born_after = memory_zeroed(job->ordinals + 1, sizeof(*job->born_after));
    memcpy(job->retained, boundaries->single, job->ordinals * sizeof(bool));
    for (uint32_t ordinal = 0; ordinal < job->ordinals; ordinal++) {
        if (next < boundaries->count && boundaries->retained[next].ordinal == ordinal) {
            job->retained[ordinal] = true;
            last = ordinal;
            next++;
        }
        job->born_after[ordinal] = last;
    }
}

static void discard(struct compaction *job)
{
    memory_free(job->path);
    memory_free(job->new_path);
    memory_free(job->retained);
    memory_free(job->born_after);
    memory_free(job->runs);
    memory_free(job->waiting.rows);
    memory_free(job);
}

/* Who may read the old file may read the new one. */
static void copy_access(int from, int to)
{
    struct stat status;
    if (fstat(from, &status) == 0 && fchown(to, (uid_t)-1, status.st_gid) == 0) {
        fchmod(to, status.st_mode & 0777);
    }
}

struct compaction *compact_begin(
    const struct writer *writer, const char *path, const struct boundaries *boundaries)
{
    struct compaction *job = memory_zeroed(1, sizeof(*job));
    job->path = strdup(path);
    job->chunks = writer_sequence(writer);
    plan(job, boundaries);
    int fd = -1;
    if (job->path && asprintf(&job->new_path, "%s.new", path) > 0) {
        unlink(job->new_path);
        fd = open(
            job->new_path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    }
    if (fd < 0) {
        discard(job);
        return NULL;
    }
    copy_access(writer->fd, fd);
    writer_open(&job->out, fd);
    if (pthread_create(&job->thread, NULL, work, job) != 0) {
        writer_close(&job->out);
        unlink(job->new_path);
        discard(job);
        return NULL;
    }
    return job;
}

bool compact_is_done(const struct compaction *job)
{
    return atomic_load(&job->done);
}

static void copy_same(struct compaction *job, int kind, struct cursor *body, uint64_t number)
{
    struct buffer same = {.data = (uint8_t *)body->at, .size = cursor_left(body)};
    writer_chunk(&job->out, kind, &same);
}

void compact_end(struct compaction *job, struct writer *writer)
{
    pthread_join(job->thread, NULL);
    buffer_free(&job->out.raw); /* of the thread's memory */
    buffer_free(&job->out.packed);
    bool good = !job->failed && !writer->error &&
                walk(job, job->chunks, writer_sequence(writer) - job->chunks, copy_same) &&
                !job->out.error && rename(job->new_path, job->path) == 0;
    struct writer old = *writer;
    if (good) {
        *writer = job->out;
        job->out = old;
    } else {
        unlink(job->new_path);
    }
    writer_close(&job->out);
    discard(job);
}
