/*
 * Symbol look-up (symbols.h).  In the collector, when the program has ended;
 * built without libdw it finds nothing.
 *
 * A name is written only where the file is the one that was loaded (by its build
 * id or, for want of one, because it has not changed since) and where the symbol
 * spans the address: a stripped library has few, and the nearest is a wrong one.
 */
#include "collect/symbols.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "memtrace/format.h"

#if MEMTRACE_LIBDW

#include <elfutils/libdwfl.h>
#if MEMTRACE_LIBIBERTY
#include <libiberty/demangle.h>
#endif

/* Without --symbolize names may take a twentieth of the time that the program ran, within these. */
#define SHORTEST_MS 25u
#define LONGEST_MS 3000u
#define SYMBOLIZE_MS 60000u
#define MS_OF_MEGABYTE 30u /* of a file with line tables, about: they are read as a whole */

struct lookup {
    struct definitions *definitions;
    Dwfl *dwfl;
    Dwfl_Module *module;
    GElf_Addr bias;
    bool has_lines; /* as far as there is time for them */
    struct buffer body;
    uint32_t count;
    uint64_t until_ms;
    time_t started;
};

static uint64_t clock_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static uint64_t patience_ms(const struct collector *collector)
{
    uint64_t share = session_clock(collector) / 1000 / 20;
    if (collector->symbolize) {
        return SYMBOLIZE_MS;
    }
    return share < SHORTEST_MS ? SHORTEST_MS : share > LONGEST_MS ? LONGEST_MS : share;
}

/* Is there time for the line tables of a file? */
static bool is_cheap(const struct lookup *lookup, off_t size)
{
    uint64_t cost_ms = (uint64_t)size * MS_OF_MEGABYTE / 1000000;
    return clock_ms() + cost_ms <= lookup->until_ms;
}

/* As libdwfl's own, but for a file that would take too long. */
static int find_debuginfo(Dwfl_Module *module, void **data, const char *name, Dwarf_Addr base,
    const char *file, const char *link, GElf_Word crc, char **path)
{
    struct stat status;
    int fd = dwfl_standard_find_debuginfo(module, data, name, base, file, link, crc, path);
    if (fd >= 0 && (fstat(fd, &status) != 0 || !is_cheap(*data, status.st_size))) {
        close(fd);
        free(*path);
        *path = NULL;
        return -1;
    }
    return fd;
}

static char *demangle(const char *name)
{
#if MEMTRACE_LIBIBERTY
    return cplus_demangle(name, DMGL_PARAMS | DMGL_ANSI | DMGL_AUTO);
#else
    return NULL;
#endif
}

static uint32_t define_text(struct definitions *definitions, const char *text)
{
    return text ? definitions_string(definitions, text, (uint32_t)strlen(text)) : 0;
}

static uint32_t define_function(struct definitions *definitions, const char *name)
{
    char *plain = demangle(name);
    uint32_t id = define_text(definitions, plain ? plain : name);
    free(plain);
    return id;
}

/* The return address stands behind the call. */
static void look_up(struct lookup *lookup, uint32_t id, uint64_t address)
{
    GElf_Addr at = address + lookup->bias - 1;
    GElf_Off offset = 0;
    GElf_Sym symbol;
    uint32_t function = 0, file = 0;
    int line = 0;
    const char *name = dwfl_module_addrinfo(lookup->module, at, &offset, &symbol, NULL, NULL, NULL);
    if (name && offset < symbol.st_size) {
        function = define_function(lookup->definitions, name);
    }
    Dwfl_Line *source =
        function && lookup->has_lines ? dwfl_module_getsrc(lookup->module, at) : NULL;
    if (source) {
        file =
            define_text(lookup->definitions, dwfl_lineinfo(source, NULL, &line, NULL, NULL, NULL));
    }
    if (!function) {
        return;
    }
    buffer_varint(&lookup->body, id);
    buffer_varint(&lookup->body, function);
    buffer_varint(&lookup->body, offset + 1);
    buffer_varint(&lookup->body, file);
    buffer_varint(&lookup->body, line > 0 ? (uint64_t)line : 0);
    lookup->count++;
}

static bool has_build_id(Dwfl_Module *module, const struct string_record *wanted)
{
    const unsigned char *bits;
    GElf_Addr address;
    int size = dwfl_module_build_id(module, &bits, &address);
    if (size <= 0 || (uint32_t)size * 2 != wanted->size) {
        return false;
    }
    for (int i = 0; i < size; i++) {
        char digits[3];
        snprintf(digits, sizeof(digits), "%02x", bits[i]);
        if (memcmp(digits, wanted->bytes + 2 * i, 2) != 0) {
            return false;
        }
    }
    return true;
}

static bool is_unchanged(const char *path, time_t since)
{
    struct stat status;
    return stat(path, &status) == 0 && status.st_ctime < since;
}

static bool open_module(struct lookup *lookup, const struct module_record *module)
{
    const struct string_record *path = &lookup->definitions->strings[module->path];
    const struct string_record *id = &lookup->definitions->strings[module->build_id];
    if (path->bytes[0] != '/' || (!id->size && !is_unchanged(path->bytes, lookup->started))) {
        return false;
    }
    struct stat status;
    void **data;
    lookup->has_lines = stat(path->bytes, &status) == 0 && is_cheap(lookup, status.st_size);
    dwfl_report_begin(lookup->dwfl);
    lookup->module = dwfl_report_offline(lookup->dwfl, path->bytes, path->bytes, -1);
    dwfl_report_end(lookup->dwfl, NULL, NULL);
    if (lookup->module) {
        dwfl_module_info(lookup->module, &data, NULL, NULL, NULL, NULL, NULL, NULL);
        *data = lookup;
    }
    return lookup->module && dwfl_module_getelf(lookup->module, &lookup->bias) &&
           (!id->size || has_build_id(lookup->module, id));
}

static void look_up_module(struct lookup *lookup, uint32_t module)
{
    const struct definitions *definitions = lookup->definitions;
    if (!open_module(lookup, &definitions->modules[module])) {
        return;
    }
    for (uint32_t id = 1; id < definitions->n_natives && clock_ms() < lookup->until_ms; id++) {
        if (definitions->natives[id].module == module) {
            look_up(lookup, id, definitions->natives[id].address);
        }
    }
}

static void write_symbols(struct lookup *lookup, struct writer *writer)
{
    struct buffer body = {0};
    if (lookup->count) {
        definitions_flush(lookup->definitions, writer);
        buffer_varint(&body, lookup->count);
        buffer_append(&body, lookup->body.data, lookup->body.size);
        writer_chunk(writer, MT_CHUNK_SYMBOLS, &body);
    }
    buffer_free(&body);
    buffer_free(&lookup->body);
}

void symbols_write(struct collector *collector)
{
    static const Dwfl_Callbacks callbacks = {
        .find_elf = dwfl_build_id_find_elf,
        .find_debuginfo = find_debuginfo,
        .section_address = dwfl_offline_section_address,
    };
    struct lookup lookup = {.definitions = &collector->accounts.definitions,
        .until_ms = clock_ms() + patience_ms(collector),
        .started = time(NULL) - (time_t)(session_clock(collector) / 1000000)};
    unsetenv("DEBUGINFOD_URLS"); /* a report is no reason to wait for the network */
    lookup.dwfl = dwfl_begin(&callbacks);
    for (uint32_t id = 1; lookup.dwfl && id < lookup.definitions->n_modules; id++) {
        look_up_module(&lookup, id);
    }
    if (lookup.dwfl) {
        dwfl_end(lookup.dwfl);
    }
    write_symbols(&lookup, &collector->writer);
}

#else

void symbols_write(struct collector *collector)
{
}

#endif
