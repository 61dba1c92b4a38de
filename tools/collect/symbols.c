/*
 * Symbol look-up (symbols.h).  In the collector, when the program has ended.
 *
 * A name is written only where the file is the one that was loaded (by its build
 * id or, for want of one, because it has not changed since).
 */
#include "collect/symbols.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "collect/allocators.h"
#include "collect/memory.h"
#include "collect/own.h"
#include "collect/perfmaps.h"
#include "memtrace/format.h"
#include "trace/elfnames.h"

/* Without --symbolize names may take a hundredth of the time that the program ran, within these:
   whoever waits for the program waits for them. */
#define SHORTEST_MS 25u
#define LONGEST_MS 3000u
#define SYMBOLIZE_MS 60000u

struct lookup {
    struct definitions *definitions;
    struct elfnames *names;
    struct buffer body, inlined, allocators;
    uint32_t count, n_inlined, n_allocators;
    uint32_t *firsts,
        *others;    /* of each module its last native, of each native another one of its */
    time_t started; /* rounded: up to a second later than it was */
    uint64_t patience_ms;
    uint64_t max_own; /* bytes that the collector took (own.h) */
};

static uint64_t patience_ms(const struct collector *collector)
{
    uint64_t share = session_clock(collector) / 1000 / 100;
    if (collector->symbolize) {
        return SYMBOLIZE_MS;
    }
    return share < SHORTEST_MS ? SHORTEST_MS : share > LONGEST_MS ? LONGEST_MS : share;
}

static uint32_t define_text(struct definitions *definitions, const char *text)
{
    return text ? definitions_string(definitions, text, (uint32_t)strlen(text)) : 0;
}

/* ---- natives of a module ---- */

struct place {
    uint64_t address;
    uint32_t id;
};

static int by_place(const void *one, const void *other)
{
    const struct place *a = one, *b = other;
    return a->address < b->address   ? -1
           : a->address > b->address ? 1
                                     : (a->id > b->id) - (a->id < b->id);
}

static void put_name(struct lookup *lookup, uint32_t id, const struct elfname *name)
{
    buffer_varint(&lookup->body, id);
    buffer_varint(&lookup->body, define_text(lookup->definitions, name->function));
    buffer_varint(&lookup->body, name->offset);
    buffer_varint(&lookup->body, define_text(lookup->definitions, name->file));
    buffer_varint(&lookup->body, (uint64_t)name->line);
    lookup->count++;
    for (size_t i = 0; i < name->n_inlined; i++) {
        const struct elfname_inlined *inlined = &name->inlined[i];
        buffer_varint(&lookup->inlined, id);
        buffer_varint(&lookup->inlined, define_text(lookup->definitions, inlined->function));
        buffer_varint(&lookup->inlined, define_text(lookup->definitions, inlined->file));
        buffer_varint(&lookup->inlined, (uint64_t)inlined->line);
        lookup->n_inlined++;
    }
}

/* Many natives are at one place, under different callers: it is looked up once.  Returns how many
   are at the first one's. */
static size_t look_up(struct lookup *lookup, const struct place *places, size_t n)
{
    struct elfname name;
    bool is_found = elfnames_find(lookup->names, places->address, &name);
    size_t i = 0;
    for (; i < n && places[i].address == places->address; i++) {
        if (is_found) {
            put_name(lookup, places[i].id, &name);
        }
    }
    if (is_found) {
        elfname_free(&name);
    }
    return i;
}

/* Each place once. */
static void expect(struct lookup *lookup, const struct place *places, size_t n)
{
    uint64_t *addresses = NULL;
    size_t capacity = 0, count = 0;
    for (size_t i = 0; i < n; i++) {
        if (!i || places[i].address != places[i - 1].address) {
            addresses = memory_grow(addresses, &capacity, count + 1, sizeof(*addresses));
            addresses[count++] = places[i].address;
        }
    }
    elfnames_expect(lookup->names, addresses, count);
    memory_free(addresses);
}

static void list_natives(struct lookup *lookup)
{
    const struct definitions *definitions = lookup->definitions;
    lookup->firsts = memory_zeroed(definitions->n_modules, sizeof(*lookup->firsts));
    lookup->others = memory_zeroed(definitions->n_natives, sizeof(*lookup->others));
    for (uint32_t id = 1; id < definitions->n_natives; id++) {
        uint32_t *first = &lookup->firsts[definitions->natives[id].module];
        lookup->others[id] = *first;
        *first = id;
    }
}

static bool is_unchanged(const char *path, time_t since)
{
    struct stat status;
    return stat(path, &status) == 0 && status.st_ctime < since;
}

static bool open_module(struct lookup *lookup, const struct module_record *module)
{
    const char *path = lookup->definitions->strings[module->path].bytes;
    const char *id = lookup->definitions->strings[module->build_id].bytes;
    return (*id || is_unchanged(path, lookup->started)) && elfnames_open(lookup->names, path, id);
}

static void look_for_allocator(struct lookup *lookup, uint32_t module)
{
    struct definitions *definitions = lookup->definitions;
    const char *path = definitions->strings[definitions->modules[module].path].bytes;
    char name[ALLOCATORS_SIZE];
    if (allocators_find(name, lookup->names, path)) {
        buffer_varint(&lookup->allocators, module);
        buffer_varint(&lookup->allocators, define_text(definitions, name));
        lookup->n_allocators++;
    }
}

static void look_up_module(struct lookup *lookup, uint32_t module)
{
    const struct definitions *definitions = lookup->definitions;
    struct place *places = NULL;
    size_t n = 0, capacity = 0;
    if (!open_module(lookup, &definitions->modules[module])) {
        return;
    }
    if (definitions->modules[module].maps) {
        look_for_allocator(lookup, module);
    }
    for (uint32_t id = lookup->firsts[module]; id; id = lookup->others[id]) {
        places = memory_grow(places, &capacity, n + 1, sizeof(*places));
        places[n++] = (struct place){definitions->natives[id].address, id};
    }
    if (n) {
        qsort(places, n, sizeof(*places), by_place);
        expect(lookup, places, n);
    }
    for (size_t i = 0; i < n && elfnames_in_time(lookup->names);) {
        i += look_up(lookup, &places[i], n - i);
    }
    uint64_t own = own_bytes();
    memory_free(places);
    lookup->max_own = own > lookup->max_own ? own : lookup->max_own;
}

/* ---- code made at run time ---- */

struct made {
    uint32_t process;
    struct perfmap_name *names;
    size_t n, capacity;
};

static int by_address(const void *one, const void *other)
{
    const struct perfmap_name *a = one, *b = other;
    return a->address < b->address ? -1 : a->address > b->address;
}

static void write_made(struct lookup *lookup, struct perfmap_name *name)
{
    if (name->function) {
        buffer_varint(&lookup->body, name->id);
        buffer_varint(&lookup->body, define_text(lookup->definitions, name->function));
        buffer_varint(&lookup->body, name->offset);
        buffer_varint(&lookup->body, 0); /* no file */
        buffer_varint(&lookup->body, 0); /* no line */
        lookup->count++;
    }
    free(name->function);
}

static void look_up_made(struct lookup *lookup, struct made *made)
{
    int pid = lookup->definitions->processes[made->process].pid;
    qsort(made->names, made->n, sizeof(*made->names), by_address);
    perfmaps_find(
        PERFMAPS_DIRECTORY, pid, lookup->started - 1, lookup->patience_ms, made->names, made->n);
    for (size_t i = 0; i < made->n; i++) {
        write_made(lookup, &made->names[i]);
    }
    memory_free(made->names);
}

/* Of each process that has such code what its compiler says of it. */
static void look_up_all_made(struct lookup *lookup)
{
    const struct definitions *definitions = lookup->definitions;
    struct made *all = NULL;
    size_t capacity = 0;
    for (uint32_t id = 1; id < definitions->n_natives; id++) {
        const struct native_record *native = &definitions->natives[id];
        if (native->process) {
            all = memory_grow(all, &capacity, native->process + 1ul, sizeof(*all));
            struct made *made = &all[native->process];
            made->process = native->process;
            made->names =
                memory_grow(made->names, &made->capacity, made->n + 1, sizeof(*made->names));
            made->names[made->n++] = (struct perfmap_name){.address = native->address, .id = id};
        }
    }
    for (size_t i = 0; i < capacity; i++) {
        if (all[i].n) {
            look_up_made(lookup, &all[i]);
        }
    }
    memory_free(all);
}

static void write_counted(struct writer *writer, int kind, uint32_t count, struct buffer *records)
{
    struct buffer body = {0};
    if (count) {
        buffer_varint(&body, count);
        buffer_append(&body, records->data, records->size);
        writer_chunk(writer, kind, &body);
    }
    buffer_free(&body);
    buffer_free(records);
}

void symbols_write(struct collector *collector)
{
    struct lookup lookup = {.definitions = &collector->accounts.definitions,
        .started = time(NULL) - (time_t)(session_clock(collector) / 1000000),
        .patience_ms = patience_ms(collector)};
    unsetenv("DEBUGINFOD_URLS"); /* the end of a program is no time to wait for the network */
    lookup.names = elfnames_new(lookup.patience_ms);
    list_natives(&lookup);
    for (uint32_t id = 1; lookup.names && id < lookup.definitions->n_modules; id++) {
        look_up_module(&lookup, id);
    }
    memory_free(lookup.firsts);
    memory_free(lookup.others);
    look_up_all_made(&lookup);
    collector->last_own = lookup.max_own;
    elfnames_free(lookup.names);
    definitions_flush(lookup.definitions, &collector->writer);
    write_counted(&collector->writer, MT_CHUNK_SYMBOLS, lookup.count, &lookup.body);
    write_counted(&collector->writer, MT_CHUNK_INLINED, lookup.n_inlined, &lookup.inlined);
    write_counted(&collector->writer, MT_CHUNK_ALLOCATORS, lookup.n_allocators, &lookup.allocators);
}
