/*
 * Symbol look-up with libdw (elfnames.h).  Runs in the collector when the program
 * has ended, and in reports.
 */
#include "trace/elfnames.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#if MEMTRACE_LIBDW

#include <dwarf.h>
#include <elfutils/libdwfl.h>
#if MEMTRACE_LIBIBERTY
#include <libiberty/demangle.h>
#endif

#define DEPTH_MAX 64       /* of what contains an address */
#define MS_OF_MEGABYTE 30u /* of a file with line tables, about: they are read as a whole */

struct elfnames {
    Dwfl *dwfl;
    Dwfl_Module *module;
    GElf_Addr bias;
    bool has_lines; /* as far as there is time for them */
    uint64_t until_ms;
};

static uint64_t clock_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

bool elfnames_in_time(const struct elfnames *names)
{
    return clock_ms() < names->until_ms;
}

/* ---- files ---- */

/* Is there time for the line tables of a file? */
static bool is_cheap(const struct elfnames *names, off_t size)
{
    uint64_t cost_ms = (uint64_t)size * MS_OF_MEGABYTE / 1000000;
    return clock_ms() + cost_ms <= names->until_ms;
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

struct elfnames *elfnames_new(uint64_t patience_ms)
{
    static const Dwfl_Callbacks callbacks = {
        .find_elf = dwfl_build_id_find_elf,
        .find_debuginfo = find_debuginfo,
        .section_address = dwfl_offline_section_address,
    };
    struct elfnames *names = calloc(1, sizeof(*names));
    if (!names) {
        return NULL;
    }
    names->until_ms = clock_ms() + patience_ms;
    names->dwfl = dwfl_begin(&callbacks);
    if (!names->dwfl) {
        free(names);
        return NULL;
    }
    return names;
}

void elfnames_free(struct elfnames *names)
{
    if (names) {
        dwfl_end(names->dwfl);
        free(names);
    }
}

static bool has_build_id(Dwfl_Module *module, const char *wanted)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *bits;
    GElf_Addr address;
    int size = dwfl_module_build_id(module, &bits, &address);
    if (size <= 0 || (size_t)size * 2 != strlen(wanted)) {
        return false;
    }
    for (int i = 0; i < size; i++) {
        if (wanted[2 * i] != digits[bits[i] >> 4] || wanted[2 * i + 1] != digits[bits[i] & 15]) {
            return false;
        }
    }
    return true;
}

bool elfnames_open(struct elfnames *names, const char *path, const char *build_id)
{
    struct stat status;
    void **data;
    if (path[0] != '/' || stat(path, &status) != 0 || !S_ISREG(status.st_mode)) {
        return false;
    }
    names->has_lines = is_cheap(names, status.st_size);
    dwfl_report_begin(names->dwfl);
    names->module = dwfl_report_offline(names->dwfl, path, path, -1);
    dwfl_report_end(names->dwfl, NULL, NULL);
    if (!names->module) {
        return false;
    }
    dwfl_module_info(names->module, &data, NULL, NULL, NULL, NULL, NULL, NULL);
    *data = names;
    return dwfl_module_getelf(names->module, &names->bias) &&
           (!*build_id || has_build_id(names->module, build_id));
}

/* ---- names ---- */

static char *demangle(const char *name)
{
#if MEMTRACE_LIBIBERTY
    return cplus_demangle(name, DMGL_PARAMS | DMGL_ANSI | DMGL_AUTO);
#else
    return NULL;
#endif
}

/* Where a compiler's suffix begins, of a part or a copy of a function: ".cold", ".part.0". */
static size_t without_suffix(const char *name, size_t size)
{
    static const char *const suffixes[] = {
        ".cold", ".part", ".isra", ".constprop", ".lto_priv", ".localalias", ".llvm"};
    size_t end = size;
    for (size_t i = 0; i < sizeof(suffixes) / sizeof(*suffixes); i++) {
        const char *found = strstr(name, suffixes[i]);
        size_t at = found ? (size_t)(found - name) : end;
        char next = found ? found[strlen(suffixes[i])] : 0;
        end = at && at < end && (!next || next == '.' || next == '@') ? at : end;
    }
    return end;
}

/* Without the symbol's version, and demangled. */
static char *plain_name(const char *name)
{
    size_t size = strcspn(name, "@");
    size_t shorter = without_suffix(name, size);
    char *copy = strndup(name, shorter < size ? shorter : size ? size : strlen(name));
    char *plain = copy ? demangle(copy) : NULL;
    if (plain) {
        free(copy);
    }
    return plain ? plain : copy;
}

/* ---- lines ---- */

static bool number_of(Dwarf_Die *die, unsigned name, Dwarf_Word *number)
{
    Dwarf_Attribute attribute;
    return dwarf_formudata(dwarf_attr(die, name, &attribute), number) == 0;
}

/* What may contain functions and has no addresses itself. */
static bool is_container(int tag)
{
    return tag == DW_TAG_namespace || tag == DW_TAG_structure_type || tag == DW_TAG_class_type ||
           tag == DW_TAG_union_type || tag == DW_TAG_enumeration_type || tag == DW_TAG_module;
}

/* The outermost of the functions that were inlined there into the one that has a symbol. */
static bool find_inlined(Dwarf_Die *parent, Dwarf_Addr at, Dwarf_Die *inlined, int depth)
{
    Dwarf_Die child;
    int more = depth < DEPTH_MAX ? dwarf_child(parent, &child) : -1;
    for (; more == 0; more = dwarf_siblingof(&child, &child)) {
        int tag = dwarf_tag(&child);
        bool is_here = !is_container(tag) && dwarf_haspc(&child, at) > 0;
        if (is_here && tag == DW_TAG_inlined_subroutine) {
            *inlined = child;
            return true;
        }
        if ((is_here || is_container(tag)) && find_inlined(&child, at, inlined, depth + 1)) {
            return true;
        }
    }
    return false;
}

/* The place in the function itself of what was inlined there; false if nothing was. */
static bool find_inlining(const struct elfnames *names, GElf_Addr at, struct elfname *name)
{
    Dwarf_Addr bias;
    Dwarf_Files *files;
    Dwarf_Word file, line;
    Dwarf_Die inlined, *unit = dwfl_module_addrdie(names->module, at, &bias);
    bool found = unit && find_inlined(unit, at - bias, &inlined, 0) &&
                 number_of(&inlined, DW_AT_call_file, &file) &&
                 number_of(&inlined, DW_AT_call_line, &line) &&
                 dwarf_getsrcfiles(unit, &files, NULL) == 0;
    if (found) {
        name->file = dwarf_filesrc(files, file, NULL, NULL);
        name->line = (int)line;
    }
    return found && name->file;
}

static void find_line(const struct elfnames *names, GElf_Addr at, struct elfname *name)
{
    name->file = NULL;
    name->line = 0;
    if (!names->has_lines || find_inlining(names, at, name)) {
        return;
    }
    Dwfl_Line *line = dwfl_module_getsrc(names->module, at);
    name->line = 0;
    name->file = line ? dwfl_lineinfo(line, NULL, &name->line, NULL, NULL, NULL) : NULL;
    name->line = name->file && name->line > 0 ? name->line : 0;
}

bool elfnames_find(struct elfnames *names, uint64_t address, struct elfname *name)
{
    GElf_Addr at = address + names->bias - 1; /* the return address stands behind the call */
    GElf_Off offset = 0;
    GElf_Sym symbol;
    const char *found = dwfl_module_addrinfo(names->module, at, &offset, &symbol, NULL, NULL, NULL);
    if (!found || offset >= symbol.st_size) {
        return false;
    }
    name->function = plain_name(found);
    name->offset = offset + 1;
    find_line(names, at, name);
    return name->function != NULL;
}

#else

struct elfnames *elfnames_new(uint64_t patience_ms)
{
    return NULL;
}
void elfnames_free(struct elfnames *names)
{
}
bool elfnames_open(struct elfnames *names, const char *path, const char *build_id)
{
    return false;
}
bool elfnames_find(struct elfnames *names, uint64_t address, struct elfname *name)
{
    return false;
}
bool elfnames_in_time(const struct elfnames *names)
{
    return false;
}

#endif
