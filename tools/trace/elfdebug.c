/*
 * Separate debug files (elfdebug.h).  Runs in the collector when the program has
 * ended, and in reports.
 */
#if MEMTRACE_LIBDW

#include "trace/elfdebug.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

#endif
