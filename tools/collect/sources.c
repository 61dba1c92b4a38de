/*
 * Collecting source lines (sources.h).  In the collector, when the program has
 * ended.
 */
#include "collect/sources.h"

#include <stdlib.h>

#include "collect/memory.h"
#include "memtrace/format.h"
#include "trace/source.h"

#define BODY_MAX (8u << 20)

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

static struct place *gather_places(struct collector *collector, size_t *count)
{
    struct definitions *definitions = &collector->accounts.definitions;
    struct place *places = NULL;
    size_t capacity = 0, n = 0, kept = 0;
    bool *shown = shown_nodes(collector);
    for (uint32_t i = 1; i < definitions->n_nodes; i++) {
        const struct node_record *node = &definitions->nodes[i];
        uint32_t file = definitions->functions[node->function].file;
        if (shown[i] && node->line && file && definitions->strings[file].bytes[0] != '<') {
            places = memory_grow(places, &capacity, n + 1, sizeof(*places));
            places[n++] = (struct place){file, node->line};
        }
    }
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

/* Lines of one file: places[0..count) in the order of their lines. */
static size_t put_file(
    struct definitions *definitions, struct buffer *body, const struct place *places, size_t count)
{
    struct source *source = source_open(definitions->strings[places->file].bytes);
    size_t put = 0, size;
    for (size_t i = 0; source && i < count; i++) {
        const char *text = source_line(source, places[i].line, &size);
        if (text) {
            buffer_varint(body, places[i].file);
            buffer_varint(body, places[i].line);
            buffer_varint(body, definitions_string(definitions, text, (uint32_t)size));
            put++;
        }
    }
    source_close(source);
    return put;
}

void sources_write(struct collector *collector)
{
    struct definitions *definitions = &collector->accounts.definitions;
    struct buffer lines = {0}, body = {0};
    size_t count, put = 0;
    struct place *places = gather_places(collector, &count);
    for (size_t i = 0, end; i < count && lines.size < BODY_MAX; i = end) {
        for (end = i + 1; end < count && places[end].file == places[i].file; end++) {
        }
        put += put_file(definitions, &lines, &places[i], end - i);
    }
    memory_free(places);
    definitions_flush(definitions, &collector->writer);
    buffer_varint(&body, put);
    buffer_append(&body, lines.data, lines.size);
    writer_chunk(&collector->writer, MT_CHUNK_LINES, &body);
    buffer_free(&lines);
    buffer_free(&body);
}
