/*
 * Interning of a trace's definitions (definitions.h).  In the collector, once
 * for each new stack, not for each event.
 */
#include "collect/definitions.h"

#include <stdlib.h>
#include <string.h>

#include "collect/memory.h"
#include "memtrace/format.h"

void definitions_init(struct definitions *d)
{
    *d = (struct definitions){0};
    d->strings = memory_grow(NULL, &d->strings_capacity, 1, sizeof(*d->strings));
    d->functions = memory_grow(NULL, &d->functions_capacity, 1, sizeof(*d->functions));
    d->nodes = memory_grow(NULL, &d->nodes_capacity, 1, sizeof(*d->nodes));
    d->sites = memory_grow(NULL, &d->sites_capacity, 1, sizeof(*d->sites));
    d->n_strings = d->n_functions = d->n_nodes = d->n_sites = 1;
    d->n_processes = d->n_threads = 1;
    d->strings[0].bytes = memory_zeroed(1, 1);
}

static struct buffer *define(struct definitions *d, int kind)
{
    d->pending[kind].count++;
    return &d->pending[kind].body;
}

static void put_numbers(struct buffer *body, const uint64_t *numbers, int count)
{
    for (int i = 0; i < count; i++) {
        buffer_varint(body, numbers[i]);
    }
}

#define PUT(body, ...)                                                                             \
    put_numbers(body, (const uint64_t[]){__VA_ARGS__},                                             \
        sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t))

static bool equal_string(const void *context, uint32_t number, const void *key)
{
    const struct string_record *a = &((const struct definitions *)context)->strings[number];
    const struct string_record *b = key;
    return a->size == b->size && memcmp(a->bytes, b->bytes, b->size) == 0;
}

uint32_t definitions_string(struct definitions *d, const void *bytes, uint32_t size)
{
    struct string_record key = {(char *)bytes, size};
    uint32_t hash = index_hash(bytes, size);
    uint32_t id = size ? index_find(&d->string_index, hash, equal_string, d, &key) : 0;
    if (id || !size) {
        return id;
    }
    id = d->n_strings++;
    d->strings = memory_grow(d->strings, &d->strings_capacity, d->n_strings, sizeof(key));
    char *copy = memory_zeroed(size + 1, 1);
    memcpy(copy, bytes, size);
    d->strings[id] = (struct string_record){copy, size};
    index_add(&d->string_index, hash, id);
    struct buffer *body = define(d, MT_CHUNK_STRINGS);
    buffer_varint(body, size);
    buffer_append(body, bytes, size);
    return id;
}

static bool equal_function(const void *context, uint32_t number, const void *key)
{
    const struct function_record *a = &((const struct definitions *)context)->functions[number];
    const struct function_record *b = key;
    return a->file == b->file && a->name == b->name && a->first_line == b->first_line;
}

uint32_t definitions_function(struct definitions *d, const struct function_record *function)
{
    uint32_t hash =
        index_hash_numbers((uint64_t)function->file << 32 | function->name, function->first_line);
    uint32_t id = index_find(&d->function_index, hash, equal_function, d, function);
    if (id) {
        return id;
    }
    id = d->n_functions++;
    d->functions =
        memory_grow(d->functions, &d->functions_capacity, d->n_functions, sizeof(*function));
    d->functions[id] = *function;
    index_add(&d->function_index, hash, id);
    PUT(define(d, MT_CHUNK_FUNCTIONS), function->file, function->name, function->first_line);
    return id;
}

static bool equal_node(const void *context, uint32_t number, const void *key)
{
    const struct node_record *a = &((const struct definitions *)context)->nodes[number];
    const struct node_record *b = key;
    return a->parent == b->parent && a->function == b->function && a->line == b->line;
}

uint32_t definitions_node(struct definitions *d, const struct node_record *node)
{
    uint32_t hash = index_hash_numbers((uint64_t)node->parent << 32 | node->function, node->line);
    uint32_t id = index_find(&d->node_index, hash, equal_node, d, node);
    if (id) {
        return id;
    }
    id = d->n_nodes++;
    d->nodes = memory_grow(d->nodes, &d->nodes_capacity, d->n_nodes, sizeof(*node));
    d->nodes[id] = *node;
    index_add(&d->node_index, hash, id);
    PUT(define(d, MT_CHUNK_NODES), node->parent, node->function, node->line);
    return id;
}

static bool equal_site(const void *context, uint32_t number, const void *key)
{
    const struct site_record *a = &((const struct definitions *)context)->sites[number];
    const struct site_record *b = key;
    return a->node == b->node && a->domain == b->domain && a->thread == b->thread &&
           a->process == b->process;
}

uint32_t definitions_site(struct definitions *d, const struct site_record *site)
{
    uint32_t hash = index_hash_numbers(
        (uint64_t)site->node << 32 | site->thread, (uint64_t)site->process << 8 | site->domain);
    uint32_t id = index_find(&d->site_index, hash, equal_site, d, site);
    if (id) {
        return id;
    }
    id = d->n_sites++;
    d->sites = memory_grow(d->sites, &d->sites_capacity, d->n_sites, sizeof(*site));
    d->sites[id] = *site;
    index_add(&d->site_index, hash, id);
    PUT(define(d, MT_CHUNK_SITES), site->process, site->thread, site->domain, site->node, 0);
    return id;
}

uint32_t definitions_process(struct definitions *d, const struct process_record *process)
{
    PUT(define(d, MT_CHUNK_PROCESSES), (uint32_t)process->pid, process->parent, process->start_us,
        (uint32_t)process->origin, process->path, process->command, process->python,
        (uint32_t)process->traced);
    return d->n_processes++;
}

uint32_t definitions_thread(
    struct definitions *d, uint32_t process, int tid, uint32_t name, uint64_t start_us)
{
    PUT(define(d, MT_CHUNK_THREADS), process, (uint32_t)tid, name, start_us);
    return d->n_threads++;
}

static void flush_kind(struct definitions *d, struct writer *writer, int kind)
{
    struct pending *pending = &d->pending[kind];
    if (!pending->count) {
        return;
    }
    struct buffer body = {0};
    buffer_varint(&body, pending->count);
    buffer_append(&body, pending->body.data, pending->body.size);
    writer_chunk(writer, kind, &body);
    buffer_free(&body);
    pending->body.size = 0;
    pending->count = 0;
}

void definitions_flush(struct definitions *d, struct writer *writer)
{
    for (int kind = MT_CHUNK_STRINGS; kind <= MT_CHUNK_SITES; kind++) {
        flush_kind(d, writer, kind);
    }
}

void definitions_free(struct definitions *d)
{
    for (uint32_t i = 0; i < d->n_strings; i++) {
        memory_free(d->strings[i].bytes);
    }
    for (int kind = 0; kind < 16; kind++) {
        buffer_free(&d->pending[kind].body);
    }
    memory_free(d->strings);
    memory_free(d->functions);
    memory_free(d->nodes);
    memory_free(d->sites);
    index_free(&d->string_index);
    index_free(&d->function_index);
    index_free(&d->node_index);
    index_free(&d->site_index);
    *d = (struct definitions){0};
}
