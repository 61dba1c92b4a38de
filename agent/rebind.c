/*
 * Rebinding (rebind.h).  In the host, in its first malloc: the objects of its
 * start are bound, nothing of theirs has run but constructors.
 *
 * A symbol is changed in the table that the loader reads, for what is bound from
 * then on; for what was bound before, in the slots of other objects that hold
 * the function's address.  A slot that is missed calls the real function, which
 * is the one that it was to call.
 */
#include "rebind.h"

#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

#include "elfsym.h"
#include "sys.h"

#define PAGE ((uintptr_t)4096)

struct job {
    const struct rebind *doors;
    size_t count;
    uintptr_t inside;
    bool found, itself;
};

static const char self_marker;

static bool is_in(const struct dl_phdr_info *info, const ElfW(Phdr) * segment, uintptr_t address)
{
    uintptr_t start = info->dlpi_addr + segment->p_vaddr;
    return address >= start && address - start < segment->p_memsz;
}

/* What its page may be used for after the loader has finished with it; 0: not known. */
static int protection_of(const struct dl_phdr_info *info, uintptr_t address)
{
    int protection = 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        if (!is_in(info, segment, address)) {
            continue;
        }
        if (segment->p_type == PT_GNU_RELRO) {
            return PROT_READ;
        }
        if (segment->p_type == PT_LOAD) {
            protection = (segment->p_flags & PF_R ? PROT_READ : 0) |
                         (segment->p_flags & PF_W ? PROT_WRITE : 0) |
                         (segment->p_flags & PF_X ? PROT_EXEC : 0);
        }
    }
    return protection;
}

static void write_word(const struct dl_phdr_info *info, const void *at, uintptr_t word)
{
    int protection = protection_of(info, (uintptr_t)at);
    void *page = (void *)((uintptr_t)at & ~(PAGE - 1));
    if (!protection) {
        return;
    }
    if (protection & PROT_WRITE) {
        *(uintptr_t *)(uintptr_t)at = word;
    } else if (sys_protect(page, PAGE, protection | PROT_WRITE)) {
        *(uintptr_t *)(uintptr_t)at = word;
        sys_protect(page, PAGE, protection);
    }
}

static int rebind_symbols(struct dl_phdr_info *info, size_t size, void *data)
{
    struct job *job = data;
    struct elfsym_object object;
    if (!elfsym_contains(info, job->inside)) {
        return 0;
    }
    for (size_t i = 0; elfsym_read(info, &object) && i < job->count; i++) {
        const struct rebind *door = &job->doors[i];
        uint32_t index = elfsym_index(&object, door->name);
        const ElfW(Sym) *symbol = &object.symbols[index];
        void *function = (void *)(object.base + symbol->st_value);
        if (index && ELF64_ST_TYPE(symbol->st_info) == STT_FUNC && function != door->hook) {
            job->found = true;
            *door->next = function;
            write_word(info, &symbol->st_value, (uintptr_t)door->hook - object.base);
        }
    }
    return 1;
}

static const struct rebind *door_of(const struct job *job, const void *function, const char *name)
{
    for (size_t i = 0; function && i < job->count; i++) {
        if (*job->doors[i].next == function && strcmp(job->doors[i].name, name) == 0) {
            return &job->doors[i];
        }
    }
    return NULL;
}

static void rebind_slot(const struct job *job, const struct dl_phdr_info *info,
    const struct elfsym_object *object, const ElfW(Rela) * relocation)
{
    uint32_t index = (uint32_t)ELF64_R_SYM(relocation->r_info);
    void *const *slot = (void *const *)(object->base + relocation->r_offset);
    if (!index || (uintptr_t)slot % sizeof(*slot)) {
        return;
    }
    const char *name = object->strings + object->symbols[index].st_name;
    const struct rebind *door = door_of(job, *slot, name);
    if (door) {
        write_word(info, slot, (uintptr_t)door->hook);
    }
}

static int rebind_slots(struct dl_phdr_info *info, size_t size, void *data)
{
    const struct job *job = data;
    struct elfsym_object object;
    if ((!job->itself && elfsym_contains(info, job->inside)) || elfsym_contains(info, (uintptr_t)&self_marker) ||
        !elfsym_read(info, &object)) {
        return 0;
    }
    for (int kind = 0; kind < 2; kind++) {
        const struct elfsym_relocations *relocations = &object.relocations[kind];
        for (size_t i = 0; relocations->first && i < relocations->count; i++) {
            rebind_slot(job, info, &object, &relocations->first[i]);
        }
    }
    return 0;
}

void rebind(const struct rebind *doors, size_t count, const void *inside, bool itself)
{
    struct job job = {
        .doors = doors, .count = count, .inside = (uintptr_t)inside, .itself = itself};
    dl_iterate_phdr(rebind_symbols, &job);
    if (job.found) {
        dl_iterate_phdr(rebind_slots, &job);
    }
}
