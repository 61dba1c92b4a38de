/*
 * Reading what a program is linked to (needed.h).  In `memtrace run`, before it
 * starts the program: a file that is damaged needs nothing.
 */
#include "collect/needed.h"

#include <stddef.h>
#include <string.h>
#include <unistd.h>

#define NAME_MAX_BYTES 64
#define ENTRIES_MAX 4096

static const char *const insistent[] = {
    "libasan.so", "libtsan.so", "libclang_rt.asan", "libclang_rt.tsan"};

bool needed_is_insistent(const char *names)
{
    for (size_t i = 0; i < sizeof(insistent) / sizeof(*insistent); i++) {
        if (strstr(names, insistent[i])) {
            return true;
        }
    }
    return false;
}

static bool read_at(int fd, void *out, size_t size, uint64_t at)
{
    return pread(fd, out, size, (off_t)at) == (ssize_t)size;
}

/* The first segment of a type that holds an address (0: any). */
static bool find_segment(
    int fd, const Elf64_Ehdr *elf, uint32_t type, uint64_t address, Elf64_Phdr *segment)
{
    for (unsigned i = 0; i < elf->e_phnum; i++) {
        if (!read_at(fd, segment, sizeof(*segment), elf->e_phoff + i * sizeof(*segment))) {
            return false;
        }
        if (segment->p_type == type &&
            (!address ||
                (address >= segment->p_vaddr && address - segment->p_vaddr < segment->p_filesz))) {
            return true;
        }
    }
    return false;
}

/* The next entry with that tag from `i` on; false if there is none. */
static bool next_entry(
    int fd, const Elf64_Phdr *dynamic, Elf64_Sxword tag, unsigned *i, Elf64_Dyn *entry)
{
    for (; *i < ENTRIES_MAX && *i < dynamic->p_filesz / sizeof(*entry); (*i)++) {
        if (!read_at(fd, entry, sizeof(*entry), dynamic->p_offset + *i * sizeof(*entry)) ||
            entry->d_tag == DT_NULL) {
            return false;
        }
        if (entry->d_tag == tag) {
            return true;
        }
    }
    return false;
}

bool needed_insists(int fd, const Elf64_Ehdr *elf)
{
    Elf64_Phdr dynamic, holder;
    Elf64_Dyn strings, entry;
    unsigned i = 0;
    if (elf->e_phentsize != sizeof(dynamic) || !find_segment(fd, elf, PT_DYNAMIC, 0, &dynamic) ||
        !next_entry(fd, &dynamic, DT_STRTAB, &i, &strings) ||
        !find_segment(fd, elf, PT_LOAD, strings.d_un.d_ptr, &holder)) {
        return false;
    }
    uint64_t names = holder.p_offset + strings.d_un.d_ptr - holder.p_vaddr;
    for (i = 0; next_entry(fd, &dynamic, DT_NEEDED, &i, &entry); i++) {
        char name[NAME_MAX_BYTES + 1] = "";
        if (pread(fd, name, NAME_MAX_BYTES, (off_t)(names + entry.d_un.d_val)) > 0 &&
            needed_is_insistent(name)) {
            return true;
        }
    }
    return false;
}
