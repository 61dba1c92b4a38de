/*
 * Asking the loader (loaded.h).  In the host, inside malloc, perhaps under the
 * loader's locks or in a child whose parent held them.
 *
 * glibc 2.35 and later answer without a lock.  Before that there is
 * dl_iterate_phdr, whose lock is recursive.
 */
#include "loaded.h"

#include <string.h>

#include "elfsym.h"

/* glibc's struct dl_find_object, for builds with older headers. */
struct found {
    unsigned long long flags;
    uintptr_t start, end;
    const struct link_map *map;
    void *eh_frame;
    unsigned long long reserved[7];
};

static int (*find_object)(void *address, struct found *found);

static struct loaded program;

static struct loaded object_of(const struct dl_phdr_info *info)
{
    uintptr_t start = UINTPTR_MAX, end = 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        uintptr_t at = info->dlpi_addr + segment->p_vaddr;
        if (segment->p_type == PT_LOAD) {
            start = at < start ? at : start;
            end = at + segment->p_memsz > end ? at + segment->p_memsz : end;
        }
    }
    return (struct loaded){
        start, end, info->dlpi_addr, info->dlpi_phdr, info->dlpi_phnum, info->dlpi_name};
}

static int take_program(struct dl_phdr_info *info, size_t size, void *data)
{
    program = object_of(info);
    return 1;
}

void loaded_setup(void)
{
    dl_iterate_phdr(take_program, NULL);
    find_object = (int (*)(void *, struct found *))elfsym_find("_dl_find_object");
}

static bool is_programs(uintptr_t address)
{
    for (unsigned i = 0; i < program.n_segments; i++) {
        const ElfW(Phdr) *segment = &program.segments[i];
        if (segment->p_type == PT_LOAD &&
            address - (program.base + segment->p_vaddr) < segment->p_memsz) {
            return true;
        }
    }
    return false;
}

/* Of a library all its segments are found as one, from its header on; of the program one of them
   where there are gaps in between. */
static bool ask_glibc(uintptr_t address, struct loaded *object)
{
    struct found found;
    if (is_programs(address)) {
        *object = program;
        return true;
    }
    if (find_object((void *)address, &found) != 0 || !found.map) {
        return false;
    }
    const ElfW(Ehdr) *header = (const ElfW(Ehdr) *)found.start;
    *object = (struct loaded){.start = found.start,
        .end = found.end,
        .base = found.map->l_addr,
        .name = found.map->l_name};
    if (memcmp(header->e_ident, ELFMAG, SELFMAG) == 0 &&
        header->e_phentsize == sizeof(ElfW(Phdr)) &&
        header->e_phoff + header->e_phnum * sizeof(ElfW(Phdr)) <= found.end - found.start) {
        object->segments = (const ElfW(Phdr) *)(found.start + header->e_phoff);
        object->n_segments = header->e_phnum;
    }
    return true;
}

struct search {
    uintptr_t address;
    struct loaded *object;
};

static int look_at(struct dl_phdr_info *info, size_t size, void *data)
{
    struct search *search = data;
    struct loaded object = object_of(info);
    if (search->address < object.start || search->address >= object.end) {
        return 0;
    }
    *search->object = object;
    return 1;
}

bool loaded_find(uintptr_t address, struct loaded *object)
{
    if (find_object) {
        return ask_glibc(address, object);
    }
    struct search search = {address, object};
    return dl_iterate_phdr(look_at, &search) != 0;
}

/* Where a segment lies, if all of it lies in the object. */
static const uint8_t *place_of(const struct loaded *object, const ElfW(Phdr) * segment)
{
    uintptr_t start = object->base + segment->p_vaddr;
    bool fits =
        start >= object->start && start < object->end && segment->p_memsz <= object->end - start;
    return fits ? (const uint8_t *)start : NULL;
}

static const uint8_t *id_in_notes(const uint8_t *notes, size_t size, size_t *id_size)
{
    while (size >= sizeof(ElfW(Nhdr))) {
        const ElfW(Nhdr) *note = (const ElfW(Nhdr) *)notes;
        size_t name = sizeof(*note), id = name + ((note->n_namesz + 3u) & ~3u);
        size_t next = id + ((note->n_descsz + 3u) & ~3u);
        if (next > size || next < id) {
            return NULL;
        }
        if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4 &&
            memcmp(notes + name, "GNU", 4) == 0) {
            *id_size = note->n_descsz;
            return notes + id;
        }
        notes += next;
        size -= next;
    }
    return NULL;
}

const uint8_t *loaded_build_id(const struct loaded *object, size_t *size)
{
    const uint8_t *id = NULL;
    *size = 0;
    for (unsigned i = 0; i < object->n_segments && !id; i++) {
        const ElfW(Phdr) *segment = &object->segments[i];
        const uint8_t *notes = segment->p_type == PT_NOTE ? place_of(object, segment) : NULL;
        if (notes) {
            id = id_in_notes(notes, segment->p_memsz, size);
        }
    }
    return id;
}

const uint8_t *loaded_frame_table(const struct loaded *object)
{
    for (unsigned i = 0; i < object->n_segments; i++) {
        if (object->segments[i].p_type == PT_GNU_EH_FRAME) {
            return place_of(object, &object->segments[i]);
        }
    }
    return NULL;
}
