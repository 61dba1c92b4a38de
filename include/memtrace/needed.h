/*
 * Programs that stop where another library comes before the one that they want to be the first:
 * those linked to AddressSanitizer or ThreadSanitizer.  Read from the program's file, by the agent
 * before an exec and by `memtrace run`; a file that is damaged needs nothing.
 */
#ifndef MEMTRACE_NEEDED_H
#define MEMTRACE_NEEDED_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define NEEDED_ENTRIES 4096u /* of a dynamic section that are looked at */
#define NEEDED_NAME 32u      /* bytes of a name, more than any of these */

static const char *const needed_insistent[] = {
    "libasan.so", "libtsan.so", "libclang_rt.asan", "libclang_rt.tsan"};
#define NEEDED_INSISTENT (sizeof(needed_insistent) / sizeof(*needed_insistent))

/* As pread. */
typedef long needed_read(int fd, void *out, size_t size, size_t at);

/* The first segment of a type that holds an address (0: any). */
static inline bool needed_segment(needed_read *read, int fd, const Elf64_Ehdr *elf, uint32_t type,
    uint64_t address, Elf64_Phdr *segment)
{
    for (unsigned i = 0; elf->e_phentsize == sizeof(*segment) && i < elf->e_phnum; i++) {
        size_t at = elf->e_phoff + i * sizeof(*segment);
        if (read(fd, segment, sizeof(*segment), at) != (long)sizeof(*segment)) {
            return false;
        }
        bool holds = address >= segment->p_vaddr && address - segment->p_vaddr < segment->p_filesz;
        if (segment->p_type == type && (!address || holds)) {
            return true;
        }
    }
    return false;
}

/* The next entry with that tag from `i` on; false if there is none. */
static inline bool needed_entry(needed_read *read, int fd, const Elf64_Phdr *dynamic,
    Elf64_Sxword tag, unsigned *i, Elf64_Dyn *entry)
{
    for (; *i < NEEDED_ENTRIES && *i < dynamic->p_filesz / sizeof(*entry); (*i)++) {
        size_t at = dynamic->p_offset + *i * sizeof(*entry);
        if (read(fd, entry, sizeof(*entry), at) != (long)sizeof(*entry) ||
            entry->d_tag == DT_NULL) {
            return false;
        }
        if (entry->d_tag == tag) {
            return true;
        }
    }
    return false;
}

static inline bool needed_is_insistent(const char *name)
{
    for (size_t i = 0; i < NEEDED_INSISTENT; i++) {
        if (strncmp(name, needed_insistent[i], strlen(needed_insistent[i])) == 0) {
            return true;
        }
    }
    return false;
}

/* Whether the program in this file, whose header is `elf`, is linked to one of these. */
static inline bool needed_insists(needed_read *read, int fd, const Elf64_Ehdr *elf)
{
    Elf64_Phdr dynamic, holder;
    Elf64_Dyn strings, entry;
    unsigned i = 0;
    if (!needed_segment(read, fd, elf, PT_DYNAMIC, 0, &dynamic) ||
        !needed_entry(read, fd, &dynamic, DT_STRTAB, &i, &strings) ||
        !needed_segment(read, fd, elf, PT_LOAD, strings.d_un.d_ptr, &holder)) {
        return false;
    }
    uint64_t names = holder.p_offset + (strings.d_un.d_ptr - holder.p_vaddr);
    for (i = 0; needed_entry(read, fd, &dynamic, DT_NEEDED, &i, &entry); i++) {
        char name[NEEDED_NAME + 1] = "";
        if (read(fd, name, NEEDED_NAME, names + entry.d_un.d_val) > 0 &&
            needed_is_insistent(name)) {
            return true;
        }
    }
    return false;
}

#endif
