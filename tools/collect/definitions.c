/*
 * Interning of a trace's definitions (definitions.h).  In the collector, once
 * for each new stack, not for each event.
 */
#include "collect/definitions.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "collect/memory.h"
#include "memtrace/ring.h"
#include "memtrace/format.h"

static void no_indices(struct definitions *d)
{
    const struct index none = {.is_outside = true};
    d->string_index = d->function_index = d->node_index = none;
    d->module_index = d->native_index = d->site_index = none;
}

void definitions_init(struct definitions *d)
{
    *d = (struct definitions){0};
    no_indices(d);
    d->strings = memory_grow(NULL, &d->strings_capacity, 1, sizeof(*d->strings));
    d->functions = memory_grow(NULL, &d->functions_capacity, 1, sizeof(*d->functions));
    d->nodes = memory_grow(NULL, &d->nodes_capacity, 1, sizeof(*d->nodes));
    d->modules = memory_grow(NULL, &d->modules_capacity, 1, sizeof(*d->modules));
    d->natives = memory_grow(NULL, &d->natives_capacity, 1, sizeof(*d->natives));
    d->sites = memory_grow(NULL, &d->sites_capacity, 1, sizeof(*d->sites));
    d->n_strings = d->n_functions = d->n_nodes = d->n_sites = 1;
    d->n_thread_names = d->n_pythons = 1;
    d->n_modules = d->n_natives = d->n_processes = d->n_threads = d->next_site = 1;
    for (int kind = 0; kind < MT_CHUNK_KINDS; kind++) {
        d->written[kind] = 1;
    }
    d->strings[0].bytes = memory_zeroed(1, 1);
}

/* The new definition is complete: from here on it is there. */
static uint32_t commit(uint32_t *count)
{
    atomic_signal_fence(memory_order_seq_cst);
    return (*count)++;
}

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
    d->strings = memory_grow(d->strings, &d->strings_capacity, d->n_strings + 1ul, sizeof(key));
    char *copy = memory_zeroed(size + 1, 1);
    memcpy(copy, bytes, size);
    d->strings[d->n_strings] = (struct string_record){copy, size};
    id = commit(&d->n_strings);
    index_add(&d->string_index, hash, id);
    return id;
}

static uint32_t hash_function(const struct function_record *function)
{
    return index_hash_numbers(
        (uint64_t)function->file << 32 | function->name, function->first_line);
}

static bool equal_function(const void *context, uint32_t number, const void *key)
{
    const struct function_record *a = &((const struct definitions *)context)->functions[number];
    const struct function_record *b = key;
    return a->file == b->file && a->name == b->name && a->first_line == b->first_line;
}

uint32_t definitions_function(struct definitions *d, const struct function_record *function)
{
    uint32_t hash = hash_function(function);
    uint32_t id = index_find(&d->function_index, hash, equal_function, d, function);
    if (id) {
        return id;
    }
    d->functions =
        memory_grow(d->functions, &d->functions_capacity, d->n_functions + 1ul, sizeof(*function));
    d->functions[d->n_functions] = *function;
    id = commit(&d->n_functions);
    index_add(&d->function_index, hash, id);
    return id;
}

static uint32_t hash_node(const struct node_record *node)
{
    return index_hash_numbers((uint64_t)node->parent << 32 | node->function, node->line);
}

static bool equal_node(const void *context, uint32_t number, const void *key)
{
    const struct node_record *a = &((const struct definitions *)context)->nodes[number];
    const struct node_record *b = key;
    return a->parent == b->parent && a->function == b->function && a->line == b->line;
}

uint32_t definitions_node(struct definitions *d, const struct node_record *node)
{
    uint32_t hash = hash_node(node);
    uint32_t id = index_find(&d->node_index, hash, equal_node, d, node);
    if (id) {
        return id;
    }
    d->nodes = memory_grow(d->nodes, &d->nodes_capacity, d->n_nodes + 1ul, sizeof(*node));
    d->nodes[d->n_nodes] = *node;
    id = commit(&d->n_nodes);
    index_add(&d->node_index, hash, id);
    return id;
}

static uint32_t hash_module(const struct module_record *module)
{
    return index_hash_numbers(module->path, module->build_id);
}

static bool equal_module(const void *context, uint32_t number, const void *key)
{
    const struct module_record *a = &((const struct definitions *)context)->modules[number];
    const struct module_record *b = key;
    return a->path == b->path && a->build_id == b->build_id;
}

uint32_t definitions_module(struct definitions *d, const struct module_record *module)
{
    uint32_t hash = hash_module(module);
    uint32_t id = index_find(&d->module_index, hash, equal_module, d, module);
    if (id) {
        return id;
    }
    d->modules = memory_grow(d->modules, &d->modules_capacity, d->n_modules + 1ul, sizeof(*module));
    d->modules[d->n_modules] = *module;
    id = commit(&d->n_modules);
    index_add(&d->module_index, hash, id);
    return id;
}

static uint32_t hash_native(const struct native_record *native)
{
    return index_hash_numbers((uint64_t)native->parent << 32 | native->module,
        native->address ^ native->anchor ^ (uint64_t)native->process << 48);
}

static bool equal_native(const void *context, uint32_t number, const void *key)
{
    const struct native_record *a = &((const struct definitions *)context)->natives[number];
    const struct native_record *b = key;
    return a->parent == b->parent && a->module == b->module && a->address == b->address &&
           a->anchor == b->anchor && a->process == b->process;
}

uint32_t definitions_native(struct definitions *d, const struct native_record *native)
{
    uint32_t hash = hash_native(native);
    uint32_t id = index_find(&d->native_index, hash, equal_native, d, native);
    if (id) {
        return id;
    }
    d->natives = memory_grow(d->natives, &d->natives_capacity, d->n_natives + 1ul, sizeof(*native));
    d->natives[d->n_natives] = *native;
    id = commit(&d->n_natives);
    index_add(&d->native_index, hash, id);
    return id;
}

static uint32_t hash_site(const struct site_record *site)
{
    return index_hash_numbers((uint64_t)site->node << 32 | site->thread,
        (uint64_t)site->native << 32 ^ (uint64_t)site->process << 8 ^ site->domain);
}

static bool equal_site(const void *context, uint32_t number, const void *key)
{
    const struct site_record *a = &((const struct definitions *)context)->sites[number];
    const struct site_record *b = key;
    return a->node == b->node && a->native == b->native && a->domain == b->domain &&
           a->thread == b->thread && a->process == b->process;
}

static void free_site(struct definitions *d, uint32_t place)
{
    d->free_sites = memory_grow(
        d->free_sites, &d->free_sites_capacity, d->n_free_sites + 1, sizeof(*d->free_sites));
    d->sites[place].id = 0;
    d->free_sites[d->n_free_sites++] = place;
}

static bool is_forgotten(const struct definitions *d, const struct site_record *site)
{
    return site->id && site->id < d->written[MT_CHUNK_SITES] && !site->cell &&
           d->processes[site->process].is_over;
}

static void forget_sites(struct definitions *d)
{
    for (uint32_t place = 1; place < d->n_sites; place++) {
        if (is_forgotten(d, &d->sites[place])) {
            index_remove(&d->site_index, hash_site(&d->sites[place]), place);
            free_site(d, place);
        }
    }
}

/* Where nothing can be forgotten there is room for twice as many until the next time. */
static uint32_t site_place(struct definitions *d)
{
    if (!d->n_free_sites && d->n_sites == d->sites_capacity) {
        forget_sites(d);
        if (d->n_free_sites < d->n_sites / 4) {
            d->sites =
                memory_grow(d->sites, &d->sites_capacity, d->n_sites + 1ul, sizeof(*d->sites));
        }
    }
    return d->n_free_sites ? d->free_sites[--d->n_free_sites] : d->n_sites++;
}

uint32_t definitions_site(struct definitions *d, const struct site_record *site)
{
    uint32_t hash = hash_site(site);
    uint32_t place = index_find(&d->site_index, hash, equal_site, d, site);
    if (place) {
        return place;
    }
    size_t n_new = d->next_site - d->written[MT_CHUNK_SITES];
    place = site_place(d);
    d->sites[place] = *site;
    d->sites[place].id = d->next_site;
    d->new_sites =
        memory_grow(d->new_sites, &d->new_sites_capacity, n_new + 1, sizeof(*d->new_sites));
    d->new_sites[n_new] = place;
    if (site->domain == MT_DOMAIN_MMAP) {
        d->modules[d->natives[site->native].module].maps = true;
    }
    d->has_files |= site->domain == MT_DOMAIN_FILE;
    commit(&d->next_site);
    index_add(&d->site_index, hash, place);
    return place;
}

uint32_t definitions_process(struct definitions *d, const struct process_record *process)
{
    d->processes =
        memory_grow(d->processes, &d->processes_capacity, d->n_processes + 1ul, sizeof(*process));
    d->processes[d->n_processes] = *process;
    return commit(&d->n_processes);
}

uint32_t definitions_thread(
    struct definitions *d, uint32_t process, int tid, uint32_t name, uint64_t start_us)
{
    struct thread_record thread = {process, (uint32_t)tid, name, 0, start_us};
    d->threads = memory_grow(d->threads, &d->threads_capacity, d->n_threads + 1ul, sizeof(thread));
    d->threads[d->n_threads] = thread;
    return commit(&d->n_threads);
}

void definitions_name_thread(struct definitions *d, uint32_t thread, uint32_t name)
{
    struct thread_record *record = &d->threads[thread];
    if (record->name == name) {
        return;
    }
    record->name = name;
    record->renames++;
    if (thread >= d->written[MT_CHUNK_THREADS]) {
        return; /* it will be written so */
    }
    struct thread_name_record named = {thread, name};
    d->thread_names = memory_grow(
        d->thread_names, &d->thread_names_capacity, d->n_thread_names + 1ul, sizeof(named));
    d->thread_names[d->n_thread_names] = named;
    commit(&d->n_thread_names);
}

void definitions_python(struct definitions *d, uint32_t process, uint32_t python, int traced)
{
    struct python_record record = {process, python, traced};
    d->pythons = memory_grow(d->pythons, &d->pythons_capacity, d->n_pythons + 1ul, sizeof(record));
    d->pythons[d->n_pythons] = record;
    commit(&d->n_pythons);
}

/* ---- writing ---- */

static void put_numbers(struct buffer *body, const uint64_t *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        buffer_varint(body, numbers[i]);
    }
}

#define PUT(body, ...)                                                                             \
    put_numbers(body, (const uint64_t[]){__VA_ARGS__},                                             \
        sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t))

static void put_string(struct buffer *body, const struct definitions *d, uint32_t id)
{
    buffer_varint(body, d->strings[id].size);
    buffer_append(body, d->strings[id].bytes, d->strings[id].size);
}

static void put_function(struct buffer *body, const struct definitions *d, uint32_t id)
{
    const struct function_record *function = &d->functions[id];
    PUT(body, function->file, function->name, function->first_line);
}

static void put_node(struct buffer *body, const struct definitions *d, uint32_t id)
{
    PUT(body, d->nodes[id].parent, d->nodes[id].function, d->nodes[id].line);
}

static void put_process(struct buffer *body, const struct definitions *d, uint32_t id)
{
    const struct process_record *process = &d->processes[id];
    PUT(body, (uint32_t)process->pid, process->parent, process->start_us, (uint32_t)process->origin,
        process->path, process->command, process->python, (uint32_t)process->traced);
}

static void put_thread(struct buffer *body, const struct definitions *d, uint32_t id)
{
    const struct thread_record *thread = &d->threads[id];
    PUT(body, thread->process, thread->tid, thread->name, thread->start_us);
}

static void put_thread_name(struct buffer *body, const struct definitions *d, uint32_t id)
{
    PUT(body, d->thread_names[id].thread, d->thread_names[id].name);
}

static void put_python(struct buffer *body, const struct definitions *d, uint32_t id)
{
    const struct python_record *python = &d->pythons[id];
    PUT(body, python->process, python->python, (uint32_t)python->traced);
}

static void put_module(struct buffer *body, const struct definitions *d, uint32_t id)
{
    PUT(body, d->modules[id].path, d->modules[id].build_id);
}

static void put_native(struct buffer *body, const struct definitions *d, uint32_t id)
{
    PUT(body, d->natives[id].parent, d->natives[id].module, d->natives[id].address);
}

static void put_site(struct buffer *body, const struct definitions *d, uint32_t id)
{
    const struct site_record *site = &d->sites[d->new_sites[id - d->written[MT_CHUNK_SITES]]];
    uint32_t domain = site->domain == MT_DOMAIN_FILE ? MT_DOMAIN_MMAP : site->domain;
    PUT(body, site->process, site->thread, domain, site->node, site->native);
}

#define PIECE_MAX (16u << 20) /* of a chunk; with the largest definition far below MT_CHUNK_MAX */

typedef void put_definition(struct buffer *body, const struct definitions *d, uint32_t id);

/* One chunk: as many as fit, from the first that is not written. */
static void flush_piece(struct definitions *d, struct writer *writer, uint32_t kind, uint32_t count,
    put_definition *put)
{
    struct buffer body = {0}, records = {0};
    uint32_t end = d->written[kind];
    while (end < count && records.size < PIECE_MAX) {
        put(&records, d, end++);
    }
    buffer_varint(&body, end - d->written[kind]);
    buffer_append(&body, records.data, records.size);
    buffer_free(&records);
    d->flush = (struct flush){writer_sequence(writer), kind, end};
    atomic_signal_fence(memory_order_seq_cst);
    writer_chunk(writer, (int)kind, &body);
    buffer_free(&body);
    if (kind == MT_CHUNK_SITES) {
        memmove(d->new_sites, d->new_sites + (end - d->written[kind]),
            (count - end) * sizeof(*d->new_sites));
    }
    d->written[kind] = end;
}

static void flush_kind(struct definitions *d, struct writer *writer, uint32_t kind, uint32_t count,
    put_definition *put)
{
    while (d->written[kind] < count) {
        flush_piece(d, writer, kind, count, put);
    }
}

/* One chunk for what came of the definitions up to `end`. */
static void flush_records(struct definitions *d, struct writer *writer, uint32_t kind,
    struct buffer *records, uint32_t count, uint32_t end)
{
    struct buffer body = {0};
    if (count) {
        buffer_varint(&body, count);
        buffer_append(&body, records->data, records->size);
        d->flush = (struct flush){writer_sequence(writer), kind, end};
        atomic_signal_fence(memory_order_seq_cst);
        writer_chunk(writer, (int)kind, &body);
    }
    buffer_free(records);
    buffer_free(&body);
    d->written[kind] = end;
}

/* Those of the natives that are not in a chunk yet. */
static void flush_anchors(struct definitions *d, struct writer *writer)
{
    struct buffer records = {0};
    uint32_t count = 0;
    for (uint32_t id = d->written[MT_CHUNK_ANCHORS]; id < d->n_natives; id++) {
        if (d->natives[id].anchor) {
            PUT(&records, id, d->natives[id].anchor - 1);
            count++;
        }
    }
    flush_records(d, writer, MT_CHUNK_ANCHORS, &records, count, d->n_natives);
}

/* Their places are not in the order of their ids. */
static void flush_files(struct definitions *d, struct writer *writer)
{
    struct buffer records = {0};
    uint32_t count = 0, before = 0;
    for (uint32_t place = 1; d->has_files && place < d->n_sites; place++) {
        const struct site_record *site = &d->sites[place];
        if (site->domain == MT_DOMAIN_FILE && site->id >= d->written[MT_CHUNK_FILES]) {
            buffer_svarint(&records, (int64_t)site->id - before);
            before = site->id;
            count++;
        }
    }
    flush_records(d, writer, MT_CHUNK_FILES, &records, count, d->next_site);
    d->has_files = false;
}

void definitions_flush(struct definitions *d, struct writer *writer)
{
    flush_kind(d, writer, MT_CHUNK_STRINGS, d->n_strings, put_string);
    flush_kind(d, writer, MT_CHUNK_FUNCTIONS, d->n_functions, put_function);
    flush_kind(d, writer, MT_CHUNK_NODES, d->n_nodes, put_node);
    flush_kind(d, writer, MT_CHUNK_PROCESSES, d->n_processes, put_process);
    flush_kind(d, writer, MT_CHUNK_THREADS, d->n_threads, put_thread);
    flush_kind(d, writer, MT_CHUNK_THREAD_NAMES, d->n_thread_names, put_thread_name);
    flush_kind(d, writer, MT_CHUNK_PYTHONS, d->n_pythons, put_python);
    flush_kind(d, writer, MT_CHUNK_MODULES, d->n_modules, put_module);
    flush_kind(d, writer, MT_CHUNK_NATIVES, d->n_natives, put_native);
    flush_anchors(d, writer);
    flush_kind(d, writer, MT_CHUNK_SITES, d->next_site, put_site);
    flush_files(d, writer);
}

/* ---- after a kill ---- */

/* What they had went with the collector that was killed. */
static void index_all(struct definitions *d)
{
    no_indices(d);
    for (uint32_t id = 1; id < d->n_strings; id++) {
        index_add(&d->string_index, index_hash(d->strings[id].bytes, d->strings[id].size), id);
    }
    for (uint32_t id = 1; id < d->n_functions; id++) {
        index_add(&d->function_index, hash_function(&d->functions[id]), id);
    }
    for (uint32_t id = 1; id < d->n_nodes; id++) {
        index_add(&d->node_index, hash_node(&d->nodes[id]), id);
    }
    for (uint32_t id = 1; id < d->n_modules; id++) {
        index_add(&d->module_index, hash_module(&d->modules[id]), id);
    }
    for (uint32_t id = 1; id < d->n_natives; id++) {
        index_add(&d->native_index, hash_native(&d->natives[id]), id);
    }
    for (uint32_t place = 1; place < d->n_sites; place++) {
        if (d->sites[place].id) {
            index_add(&d->site_index, hash_site(&d->sites[place]), place);
        }
    }
}

/* Which places are free, and which sites are to be written, is said by their ids. */
static void list_sites(struct definitions *d)
{
    uint32_t written = d->written[MT_CHUNK_SITES];
    d->new_sites = d->free_sites = NULL;
    d->n_free_sites = d->new_sites_capacity = d->free_sites_capacity = 0;
    d->new_sites = memory_grow(
        NULL, &d->new_sites_capacity, d->next_site - written + 1, sizeof(*d->new_sites));
    for (uint32_t place = 1; place < d->n_sites; place++) {
        uint32_t id = d->sites[place].id;
        if (!id || id >= d->next_site) {
            free_site(d, place);
        } else if (id >= written) {
            d->new_sites[id - written] = place;
        }
    }
}

void definitions_reopen(struct definitions *d, const struct writer *writer)
{
    if (d->flush.count && writer_sequence(writer) > d->flush.sequence) {
        d->written[d->flush.kind] = d->flush.count;
    }
    list_sites(d);
    index_all(d);
}

void definitions_free(struct definitions *d)
{
    for (uint32_t i = 0; i < d->n_strings; i++) {
        memory_free(d->strings[i].bytes);
    }
    memory_free(d->strings);
    memory_free(d->functions);
    memory_free(d->nodes);
    memory_free(d->modules);
    memory_free(d->natives);
    memory_free(d->sites);
    memory_free(d->new_sites);
    memory_free(d->free_sites);
    memory_free(d->processes);
    memory_free(d->threads);
    memory_free(d->thread_names);
    memory_free(d->pythons);
    index_free(&d->string_index);
    index_free(&d->function_index);
    index_free(&d->node_index);
    index_free(&d->module_index);
    index_free(&d->native_index);
    index_free(&d->site_index);
    *d = (struct definitions){0};
}
