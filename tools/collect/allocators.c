/*
 * Allocators inside of other objects (allocators.h).  In the collector, when the
 * program has ended, for what mapped memory.
 *
 * They are known by what they say when something goes wrong, which is in the file
 * also where names are stripped or have another prefix.
 */
#include "collect/allocators.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define LARGEST (512u << 20) /* of files that are looked through */

static const struct {
    const char *name, *says;
} allocators[] = {
    {"jemalloc", "<jemalloc>: "},
    {"mimalloc", "mimalloc: warning: "},
    {"tcmalloc", "TCMALLOC_LARGE_ALLOC_REPORT_THRESHOLD"},
};

static void search(char found[ALLOCATORS_SIZE], const void *file, size_t size)
{
    size_t used = 0;
    for (size_t i = 0; i < sizeof(allocators) / sizeof(*allocators); i++) {
        if (memmem(file, size, allocators[i].says, strlen(allocators[i].says))) {
            used += (size_t)snprintf(found + used, ALLOCATORS_SIZE - used, "%s%s",
                used ? " and " : "", allocators[i].name);
        }
    }
}

static void search_file(char found[ALLOCATORS_SIZE], const char *path)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd >= 0 && fstat(fd, &status) == 0 && status.st_size > 0 && status.st_size <= LARGEST) {
        size_t size = (size_t)status.st_size;
        void *file = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (file != MAP_FAILED) {
            search(found, file, size);
            munmap(file, size);
        }
    }
    if (fd >= 0) {
        close(fd);
    }
}

/* The agent stands before these (hooks_prefixed.c), where they are called as any other object's. */
static bool is_seen(struct elfnames *names)
{
    static const char *const seen[] = {"je_malloc", "_rjem_malloc", "_rjem_je_malloc",
        "duckdb_je_malloc", "je_arrow_malloc", "mi_malloc", "tc_malloc"};
    for (size_t i = 0; i < sizeof(seen) / sizeof(*seen); i++) {
        if (elfnames_exports(names, seen[i]) && elfnames_binds(names, seen[i])) {
            return true;
        }
    }
    return false;
}

bool allocators_find(char found[ALLOCATORS_SIZE], struct elfnames *names, const char *path)
{
    *found = 0;
    search_file(found, path);
    return *found && !elfnames_exports(names, "malloc") && !is_seen(names);
}
