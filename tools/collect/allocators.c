/*
 * Allocators inside of other objects (allocators.h).  In the collector, when the
 * program has ended, for what mapped memory.
 *
 * They are known by what they say when something goes wrong, which is in the file
 * also where names are stripped or have another prefix.
 */
#include "collect/allocators.h"

#include <elf.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
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

struct file {
    const uint8_t *bytes;
    size_t size;
};

static bool has(const struct file *file, uint64_t offset, uint64_t size)
{
    return offset <= file->size && size <= file->size - offset;
}

/* The sections of an object; NULL where they cannot be told. */
static const Elf64_Shdr *sections_of(const struct file *file, size_t *n)
{
    const Elf64_Ehdr *header = (const Elf64_Ehdr *)file->bytes;
    bool is_elf = file->size >= sizeof(*header) && memcmp(header->e_ident, ELFMAG, SELFMAG) == 0 &&
                  header->e_ident[EI_CLASS] == ELFCLASS64 &&
                  header->e_shentsize == sizeof(Elf64_Shdr) &&
                  header->e_shoff % sizeof(uint64_t) == 0;
    *n = is_elf ? header->e_shnum : 0;
    bool is_there = *n && has(file, header->e_shoff, *n * sizeof(Elf64_Shdr));
    return is_there ? (const Elf64_Shdr *)(file->bytes + header->e_shoff) : NULL;
}

/* Texts lie where there is neither code nor what is written to: a small part of most objects. */
static bool is_of_texts(const struct file *file, const Elf64_Shdr *section)
{
    return section->sh_type == SHT_PROGBITS && section->sh_flags & SHF_ALLOC &&
           !(section->sh_flags & (SHF_EXECINSTR | SHF_WRITE)) &&
           has(file, section->sh_offset, section->sh_size);
}

static bool says(const struct file *file, const char *text)
{
    size_t n, length = strlen(text);
    const Elf64_Shdr *sections = sections_of(file, &n);
    for (size_t i = 0; sections && i < n; i++) {
        const Elf64_Shdr *section = &sections[i];
        if (is_of_texts(file, section) &&
            memmem(file->bytes + section->sh_offset, section->sh_size, text, length)) {
            return true;
        }
    }
    return !sections && memmem(file->bytes, file->size, text, length);
}

static void search(char found[ALLOCATORS_SIZE], const struct file *file)
{
    size_t used = 0;
    for (size_t i = 0; i < sizeof(allocators) / sizeof(*allocators); i++) {
        if (says(file, allocators[i].says)) {
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
            search(found, &(struct file){file, size});
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
