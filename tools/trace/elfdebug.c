/*
 * Separate debug files (elfdebug.h).  Runs in the collector when the program has
 * ended, and in reports.
 */
#if MEMTRACE_LIBDW

#include "trace/elfdebug.h"

#include <fcntl.h>
#include <gelf.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STORE "/usr/lib/debug"

/* One name, of a directory's so many characters. */
static bool is_in(const char *store, const char *directory, int size, const char *name)
{
    char path[PATH_MAX];
    int length = snprintf(path, sizeof(path), "%s%.*s%s", store, size, directory, name);
    return length < (int)sizeof(path) && access(path, R_OK) == 0;
}

/* Beside the object, in .debug there, and in the store under its directory or the last parts of
   that. */
static bool is_near(const char *file, const char *name)
{
    const char *last = strrchr(file, '/');
    int size = last ? (int)(last - file) + 1 : 0;
    bool found = is_in("", file, size, name);
    char below[PATH_MAX];
    snprintf(below, sizeof(below), ".debug/%s", name);
    found = found || is_in("", file, size, below);
    for (const char *part = file; !found && part && part < last; part = strchr(part + 1, '/')) {
        found = is_in(STORE, part, (int)(last - part) + 1, name);
    }
    return found || is_in(STORE, "/", 1, name);
}

/* Is a file here that the object's link names, or that has its name? */
static bool is_here(const char *file, const char *link)
{
    char made[NAME_MAX + 8];
    const char *last = file ? strrchr(file, '/') : NULL;
    if (!last) {
        return true; /* libdwfl knows better */
    }
    snprintf(made, sizeof(made), "%s.debug", last + 1);
    char *real = realpath(file, NULL);
    const char *name = link ? link : made;
    bool found = is_near(file, name) || (real && is_near(real, name));
    free(real);
    return found;
}

int elfdebug_find(Dwfl_Module *module, void **data, const char *name, Dwarf_Addr base,
    const char *file, const char *link, GElf_Word crc, char **path)
{
    const char *servers = getenv("DEBUGINFOD_URLS");
    bool asks = servers && *servers;
    int fd =
        asks ? -1 : dwfl_build_id_find_debuginfo(module, data, name, base, file, link, crc, path);
    if (fd >= 0 || !(asks || is_here(file, link))) {
        return fd;
    }
    return dwfl_standard_find_debuginfo(module, data, name, base, file, link, crc, path);
}

static const char *section_name(Elf *elf, Elf_Scn *section)
{
    GElf_Shdr header;
    size_t names;
    bool known = gelf_getshdr(section, &header) && elf_getshdrstrndx(elf, &names) == 0;
    const char *name = known ? elf_strptr(elf, names, header.sh_name) : NULL;
    return name ? name : "";
}

/* The file that a link names, or NULL. */
static const char *linked(Elf_Scn *section)
{
    Elf_Data *data = elf_rawdata(section, NULL);
    bool ends = data && data->d_size && memchr(data->d_buf, 0, data->d_size);
    return ends ? data->d_buf : NULL;
}

bool elfdebug_is_here(const char *file)
{
    struct stat status;
    bool is_file = file[0] == '/' && stat(file, &status) == 0 && S_ISREG(status.st_mode);
    int fd = is_file ? open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
    elf_version(EV_CURRENT);
    Elf *elf = fd >= 0 ? elf_begin(fd, ELF_C_READ_MMAP, NULL) : NULL;
    Elf_Scn *section = NULL;
    bool found = false;
    while (elf && !found && (section = elf_nextscn(elf, section))) {
        const char *name = section_name(elf, section);
        const char *link = strcmp(name, ".gnu_debuglink") == 0 ? linked(section) : NULL;
        found = strcmp(name, ".debug_info") == 0 || strcmp(name, ".zdebug_info") == 0 ||
                (link && is_here(file, link));
    }
    elf_end(elf);
    if (fd >= 0)
        close(fd);
    return found;
}

#endif
