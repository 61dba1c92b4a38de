/*
 * Collecting source lines (sources.h).  In the collector, when the program has
 * ended.  Files are read by a thread, for there may be hundreds, while the rest is written.
 */
#include "collect/sources.h"

#include <pthread.h>
#include <stdlib.h>

#include "collect/memory.h"
#include "memtrace/format.h"
#include "trace/cursor.h"
#include "trace/source.h"

#define BODY_MAX (8u << 20)
#define LATELY 16384u

struct place {
    uint32_t file, line;
};

static int by_place(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    if (x->file != y->file) {
        return x->file < y->file ? -1 : 1;
    }
    return x->line < y->line ? -1 : x->line > y->line;
}

/* The stacks of all sites that held something when it was written. */
static bool *shown_nodes(struct collector *collector)
{
    struct accounts *accounts = &collector->accounts;
    struct definitions *definitions = &accounts->definitions;
    bool *shown = memory_zeroed(definitions->n_nodes, 1);
    for (uint32_t i = 1; i < accounts->n_cells; i++) {
        uint32_t node = definitions->sites[accounts->cells[i].site].node;
        for (; node && !shown[node]; node = definitions->nodes[node].parent) {
            shown[node] = true;
        }
    }
    return shown;
}

/* Whether it was among the last ones; most nodes have the line of another one. */
static bool was_lately(struct place *lately, struct place place)
{
    struct place *known = &lately[index_hash_numbers(place.file, place.line) % LATELY];
    bool is_known = by_place(known, &place) == 0;
    *known = place;
    return is_known;
}

static struct place *gather_places(struct collector *collector, size_t *count)
{
    struct definitions *definitions = &collector->accounts.definitions;
    struct place *places = NULL;
    size_t capacity = 0, n = 0, kept = 0;
    bool *shown = shown_nodes(collector);
    struct place *lately = memory_zeroed(LATELY, sizeof(*lately));
    for (uint32_t i = 1; i < definitions->n_nodes; i++) {
        const struct node_record *node = &definitions->nodes[i];
        uint32_t file = definitions->functions[node->function].file;
        struct place place = {file, node->line};
        if (shown[i] && node->line && file && !was_lately(lately, place) &&
            definitions->strings[file].bytes[0] != '<') {
            places = memory_grow(places, &capacity, n + 1, sizeof(*places));
            places[n++] = place;
        }
    }
    memory_free(lately);
    memory_free(shown);
    if (n) {
        qsort(places, n, sizeof(*places), by_place);
    }
    for (size_t i = 0; i < n; i++) {
        if (!kept || by_place(&places[i], &places[kept - 1]) != 0) {
            places[kept++] = places[i];
        }
    }
    *count = kept;
    return places;
}

/* ---- reading ---- */

struct reading {
    pthread_t thread;
    bool is_apart; /* the thread was made */
    struct read_file {
        const char *path; /* the definitions' */
        struct place *places;
        size_t count;
    } * files;
    size_t n_files;
    struct place *places;
    struct buffer texts; /* of each place that was found: its number, the size, the line */
};

static void read_lines(struct reading *reading, const struct read_file *file, struct source *source)
{
    for (size_t i = 0; i < file->count; i++) {
        size_t size;
        const char *text = source_line(source, file->places[i].line, &size);
        if (text) {
            buffer_varint(&reading->texts, (uint64_t)(&file->places[i] - reading->places));
            buffer_varint(&reading->texts, size);
            buffer_append(&reading->texts, text, size);
        }
    }
}

static void *read_files(void *argument)
{
    struct reading *reading = argument;
    if (reading->is_apart) {
        memory_apart(); /* the collector's is not ours to share */
    }
    for (size_t i = 0; i < reading->n_files && reading->texts.size < BODY_MAX; i++) {
        struct source *source = source_open(reading->files[i].path);
        if (source) {
            read_lines(reading, &reading->files[i], source);
        }
        source_close(source);
    }
    return NULL;
}

static void list_files(struct reading *reading, const struct definitions *definitions, size_t count)
{
    size_t capacity = 0;
    for (size_t i = 0, end; i < count; i = end) {
        struct place *first = &reading->places[i];
        for (end = i + 1; end < count && reading->places[end].file == first->file; end++) {
        }
        reading->files =
            memory_grow(reading->files, &capacity, reading->n_files + 1, sizeof(*reading->files));
        reading->files[reading->n_files++] =
            (struct read_file){definitions->strings[first->file].bytes, first, end - i};
    }
}

struct reading *sources_read(struct collector *collector)
{
    struct reading *reading = memory_zeroed(1, sizeof(*reading));
    size_t count;
    reading->places = gather_places(collector, &count);
    list_files(reading, &collector->accounts.definitions, count);
    reading->is_apart = true;
    if (pthread_create(&reading->thread, NULL, read_files, reading) != 0) {
        reading->is_apart = false;
        read_files(reading);
    }
    return reading;
}

/* ---- writing ---- */

static size_t put_lines(
    const struct reading *reading, struct definitions *definitions, struct buffer *body)
{
    struct cursor texts = {.at = reading->texts.data, .end = reading->texts.data};
    size_t put = 0;
    if (reading->texts.size == 0) {
        return 0; /* no buffer yet */
    }
    texts.end += reading->texts.size;
    while (cursor_left(&texts)) {
        const struct place *place = &reading->places[cursor_varint(&texts)];
        uint32_t size = (uint32_t)cursor_varint(&texts);
        buffer_varint(body, place->file);
        buffer_varint(body, place->line);
        const char *text = (const char *)cursor_bytes(&texts, size);
        buffer_varint(body, definitions_string(definitions, text, size));
        put++;
    }
    return put;
}

void sources_write(struct collector *collector, struct reading *reading)
{
    struct definitions *definitions = &collector->accounts.definitions;
    struct buffer lines = {0}, body = {0};
    if (reading->is_apart) {
        pthread_join(reading->thread, NULL);
    }
    size_t put = put_lines(reading, definitions, &lines);
    definitions_flush(definitions, &collector->writer);
    buffer_varint(&body, put);
    buffer_append(&body, lines.data, lines.size);
    writer_chunk(&collector->writer, MT_CHUNK_LINES, &body);
    buffer_free(&lines);
    buffer_free(&body);
    buffer_free(&reading->texts);
    memory_free(reading->files);
    memory_free(reading->places);
    memory_free(reading);
}
