/*
 * What a program is linked to (needed.h).  In the host, on the stack of whoever
 * calls exec; a file that is damaged needs nothing.
 */
#include "needed.h"

#include <string.h>

#include "sys.h"

#define ENTRIES 32 /* of the dynamic section at a time; what is needed comes first there */
#define NAME_BYTES 32

static bool is_insistent(const char *name)
{
    static const char *const insistent[] = {
        "libasan.so", "libtsan.so", "libclang_rt.asan", "libclang_rt.tsan"};
    for (size_t i = 0; i < sizeof(insistent) / sizeof(*insistent); i++) {
        if (strncmp(name, insistent[i], strlen(insistent[i])) == 0) {
            return true;
        }
    }
    return false;
}

/* The first segment of a type that holds an address (0: any). */
static bool find_segment(
    int fd, const ElfW(Ehdr) * elf, uint32_t type, uintptr_t address, ElfW(Phdr) * segment)
{
    for (unsigned i = 0; i < elf->e_phnum; i++) {
        size_t at = elf->e_phoff + i * sizeof(*segment);
        if (sys_read_at(fd, segment, sizeof(*segment), at) != sizeof(*segment)) {
            return false;
        }
        if (segment->p_type == type &&
            (!address || address - segment->p_vaddr < segment->p_filesz)) {
            return true;
        }
    }
    return false;
}

bool needed_insists(int fd, const ElfW(Ehdr) * elf)
{
    ElfW(Phdr) segment;
    ElfW(Dyn) entries[ENTRIES];
    uintptr_t strings = 0;
    long n = 0;
    if (find_segment(fd, elf, PT_DYNAMIC, 0, &segment)) {
        size_t size = segment.p_filesz < sizeof(entries) ? segment.p_filesz : sizeof(entries);
        n = sys_read_at(fd, entries, size, segment.p_offset) / (long)sizeof(*entries);
    }
    for (long i = 0; i < n; i++) {
        strings = entries[i].d_tag == DT_STRTAB ? entries[i].d_un.d_ptr : strings;
    }
    if (!strings || !find_segment(fd, elf, PT_LOAD, strings, &segment)) {
        return false;
    }
    for (long i = 0; i < n && entries[i].d_tag != DT_NULL; i++) {
        char name[NAME_BYTES + 1] = "";
        size_t at = segment.p_offset + (strings - segment.p_vaddr) + entries[i].d_un.d_val;
        if (entries[i].d_tag == DT_NEEDED && sys_read_at(fd, name, NAME_BYTES, at) > 0 &&
            is_insistent(name)) {
            return true;
        }
    }
    return false;
}
