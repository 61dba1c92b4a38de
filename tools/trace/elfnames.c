/*
 * Symbol look-up with libdw (elfnames.h).  Runs in the collector when the program
 * has ended, and in reports.
 */
#include "trace/elfnames.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

void elfname_free(struct elfname *name)
{
    free(name->function);
    for (size_t i = 0; i < name->n_inlined; i++) {
        free(name->inlined[i].function);
    }
}

bool elfnames_debug_path(char path[ELFNAMES_PATH], const char *build_id)
{
    int size = snprintf(path, ELFNAMES_PATH, "/usr/lib/debug/.build-id/%.2s/%s.debug", build_id,
        strlen(build_id) > 2 ? build_id + 2 : "");
    return strlen(build_id) > 2 && !strchr(build_id, '/') && size < ELFNAMES_PATH;
}

#if MEMTRACE_LIBDW

#include <elfutils/libdwfl.h>
#if MEMTRACE_LIBIBERTY
#include <libiberty/demangle.h>
#endif

#include "trace/elfdebug.h"
#include "trace/elflines.h"
#include "trace/elfsymbols.h"

#define ANYWHERE 0x10000000u /* where a module is said to be that nothing is known of yet */
#define ROOMY (UINT64_C(1) << 36)
#define BUILD_ID_MAX 64
#define MS_OF_MEGABYTE 30u /* of a file with line tables, about: they are read as a whole */

struct elfnames {
    Dwfl *dwfl;
    Dwfl_Module *module;
    GElf_Addr bias;
    bool has_lines; /* as far as there is time for them */
    uint64_t until_ms;
    struct elfsymbol *expected; /* by address */
    size_t n_expected;
    struct elfunits units; /* of the module */
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

/* Not a file that would take too long. */
static int find_debuginfo(Dwfl_Module *module, void **data, const char *name, Dwarf_Addr base,
    const char *file, const char *link, GElf_Word crc, char **path)
{
    struct stat status;
    int fd = elfdebug_find(module, data, name, base, file, link, crc, path);
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
        free(names->expected);
        elfunits_free(&names->units);
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

static bool is_file(const char *path, struct stat *status)
{
    return path[0] == '/' && stat(path, status) == 0 && S_ISREG(status->st_mode);
}

static bool use(struct elfnames *names, Dwfl_Module *module, const char *build_id)
{
    void **data;
    names->module = module;
    elfunits_free(&names->units);
    if (!module) {
        return false;
    }
    dwfl_module_info(module, &data, NULL, NULL, NULL, NULL, NULL, NULL);
    *data = names;
    return dwfl_module_getelf(module, &names->bias) &&
           (!*build_id || has_build_id(module, build_id));
}

static bool open_file(struct elfnames *names, const char *path, const char *build_id)
{
    struct stat status;
    if (!is_file(path, &status)) {
        return false;
    }
    names->has_lines = is_cheap(names, status.st_size);
    dwfl_report_begin(names->dwfl);
    Dwfl_Module *module = dwfl_report_offline(names->dwfl, path, path, -1);
    dwfl_report_end(names->dwfl, NULL, NULL);
    return use(names, module, build_id);
}

static int value_of(char digit)
{
    return digit <= '9' ? digit - '0' : digit - 'a' + 10;
}

/* From where libdwfl looks for files by build id, debuginfod among them. */
static bool open_by_id(struct elfnames *names, const char *path, const char *build_id)
{
    unsigned char bits[BUILD_ID_MAX];
    size_t size = strlen(build_id) / 2;
    if (size == 0 || size > sizeof(bits) ||
        strspn(build_id, "0123456789abcdef") != strlen(build_id)) {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        bits[i] = (unsigned char)(value_of(build_id[2 * i]) << 4 | value_of(build_id[2 * i + 1]));
    }
    names->has_lines = true;
    dwfl_report_begin(names->dwfl);
    Dwfl_Module *module = dwfl_report_module(names->dwfl, path, ANYWHERE, ANYWHERE + ROOMY);
    bool set = module && dwfl_module_report_build_id(module, bits, size, 0) == 0;
    dwfl_report_end(names->dwfl, NULL, NULL);
    return set && use(names, module, build_id);
}

bool elfnames_open(struct elfnames *names, const char *path, const char *build_id)
{
    char separate[ELFNAMES_PATH];
    names->n_expected = 0;
    return open_file(names, path, build_id) ||
           (elfnames_debug_path(separate, build_id) && open_file(names, separate, build_id)) ||
           open_by_id(names, path, build_id);
}

bool elfnames_has_debug(const char *path)
{
    return elfdebug_is_here(path);
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

char *elfnames_plain(const char *name)
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

/* The return address stands behind the call. */
static GElf_Addr call_at(const struct elfnames *names, uint64_t address)
{
    return address + names->bias - 1;
}

void elfnames_expect(struct elfnames *names, const uint64_t *addresses, size_t n)
{
    free(names->expected);
    names->expected = calloc(n ? n : 1, sizeof(*names->expected));
    names->n_expected = names->expected ? n : 0;
    for (size_t i = 0; i < names->n_expected; i++) {
        names->expected[i].at = call_at(names, addresses[i]);
    }
    elfsymbols_find(names->module, names->expected, names->n_expected);
}

/* NULL if none spans it. */
static const char *symbol_at(struct elfnames *names, GElf_Addr at, uint64_t *offset)
{
    const struct elfsymbol *known = elfsymbols_at(names->expected, names->n_expected, at);
    struct elfsymbol one = {.at = at};
    if (!known) {
        elfsymbols_find(names->module, &one, 1);
        known = &one;
    }
    *offset = at - known->value;
    return known->name;
}

bool elfnames_find_function(struct elfnames *names, uint64_t address, struct elfname *name)
{
    uint64_t offset;
    const char *found = symbol_at(names, call_at(names, address), &offset);
    if (!found) {
        return false;
    }
    *name = (struct elfname){.function = elfnames_plain(found), .offset = offset + 1};
    return name->function != NULL;
}

bool elfnames_find(struct elfnames *names, uint64_t address, struct elfname *name)
{
    bool is_found = elfnames_find_function(names, address, name);
    if (is_found && names->has_lines) {
        elflines_find(&names->units, names->module, call_at(names, address), name);
    }
    return is_found;
}

static bool is_export(const GElf_Sym *symbol)
{
    return GELF_ST_BIND(symbol->st_info) != STB_LOCAL && symbol->st_shndx != SHN_UNDEF &&
           GELF_ST_VISIBILITY(symbol->st_other) == STV_DEFAULT;
}

bool elfnames_exports(struct elfnames *names, const char *name)
{
    size_t size = strlen(name);
    int n = dwfl_module_getsymtab(names->module);
    for (int i = 0; i < n; i++) {
        GElf_Sym symbol;
        const char *found = dwfl_module_getsym(names->module, i, &symbol, NULL);
        if (found && strncmp(found, name, size) == 0 && (!found[size] || found[size] == '@') &&
            is_export(&symbol)) {
            return true;
        }
    }
    return false;
}

static bool section_binds(Elf *elf, Elf_Scn *section, const char *name)
{
    GElf_Shdr header, of_symbols;
    Elf_Data *data = gelf_getshdr(section, &header) && header.sh_type == SHT_RELA
                         ? elf_getdata(section, NULL)
                         : NULL;
    Elf_Scn *linked = data ? elf_getscn(elf, header.sh_link) : NULL;
    Elf_Data *symbols =
        linked && gelf_getshdr(linked, &of_symbols) ? elf_getdata(linked, NULL) : NULL;
    for (int i = 0; symbols && header.sh_entsize && i < (int)(header.sh_size / header.sh_entsize);
         i++) {
        GElf_Rela relocation;
        GElf_Sym symbol;
        const char *found =
            gelf_getrela(data, i, &relocation) &&
                    gelf_getsym(symbols, (int)GELF_R_SYM(relocation.r_info), &symbol)
                ? elf_strptr(elf, of_symbols.sh_link, symbol.st_name)
                : NULL;
        if (found && strcmp(found, name) == 0) {
            return true;
        }
    }
    return false;
}

bool elfnames_binds(struct elfnames *names, const char *name)
{
    GElf_Addr bias;
    Elf *elf = dwfl_module_getelf(names->module, &bias);
    Elf_Scn *section = NULL;
    bool found = false;
    while (elf && !found && (section = elf_nextscn(elf, section))) {
        found = section_binds(elf, section, name);
    }
    return found;
}

#else

char *elfnames_plain(const char *name)
{
    return NULL;
}
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
void elfnames_expect(struct elfnames *names, const uint64_t *addresses, size_t n)
{
}
bool elfnames_find(struct elfnames *names, uint64_t address, struct elfname *name)
{
    return false;
}
bool elfnames_find_function(struct elfnames *names, uint64_t address, struct elfname *name)
{
    return false;
}
bool elfnames_exports(struct elfnames *names, const char *name)
{
    return false;
}
bool elfnames_has_debug(const char *path)
{
    return false;
}
bool elfnames_binds(struct elfnames *names, const char *name)
{
    return false;
}
bool elfnames_in_time(const struct elfnames *names)
{
    return false;
}

#endif
