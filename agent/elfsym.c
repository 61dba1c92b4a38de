/*
 * Symbol look-up over the loaded objects (elfsym.h).  In the host, before or
 * inside its first malloc: dl_iterate_phdr neither allocates nor fails, and its
 * lock is recursive.
 */
#include "elfsym.h"

#include <elf.h>
#include <string.h>

#include "loaded.h"

struct search {
    const char *name;
    uint32_t gnu_hash;
    bool after_self, seen_self;
    void *found;
};

static const char self_marker;

bool elfsym_contains(const struct dl_phdr_info *info, uintptr_t address)
{
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        uintptr_t start = info->dlpi_addr + segment->p_vaddr;
        if (segment->p_type == PT_LOAD && address >= start && address - start < segment->p_memsz) {
            return true;
        }
    }
    return false;
}

bool elfsym_read(const struct dl_phdr_info *info, struct elfsym_object *object)
{
    const ElfW(Dyn) *entry = NULL;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        if (info->dlpi_phdr[i].p_type == PT_DYNAMIC) {
            entry = (const ElfW(Dyn) *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
        }
    }
    *object = (struct elfsym_object){.base = info->dlpi_addr};
    for (; entry && entry->d_tag != DT_NULL; entry++) {
        /* The loader relocates these in place; in the vdso they stay relative. */
        uintptr_t value = entry->d_un.d_ptr;
        uintptr_t address = value < info->dlpi_addr ? value + info->dlpi_addr : value;
        switch (entry->d_tag) {
        case DT_SYMTAB:
            object->symbols = (const ElfW(Sym) *)address;
            break;
        case DT_STRTAB:
            object->strings = (const char *)address;
            break;
        case DT_GNU_HASH:
            object->gnu_hash = (const uint32_t *)address;
            break;
        case DT_VERSYM:
            object->versions = (const uint16_t *)address;
            break;
        case DT_HASH:
            object->sysv_hash = (const uint32_t *)address;
            break;
        case DT_RELA:
            object->relocations[0].first = (const ElfW(Rela) *)address;
            break;
        case DT_RELASZ:
            object->relocations[0].count = value / sizeof(ElfW(Rela));
            break;
        case DT_JMPREL:
            object->relocations[1].first = (const ElfW(Rela) *)address;
            break;
        case DT_PLTRELSZ:
            object->relocations[1].count = value / sizeof(ElfW(Rela));
            break;
        }
    }
    return object->symbols && object->strings && (object->gnu_hash || object->sysv_hash);
}

static uint32_t gnu_hash_of(const char *name)
{
    uint32_t hash = 5381;
    for (const unsigned char *c = (const unsigned char *)name; *c; c++) {
        hash = hash * 33 + *c;
    }
    return hash;
}

static bool matches(const struct elfsym_object *object, uint32_t index, const char *name)
{
    const ElfW(Sym) *symbol = &object->symbols[index];
    return symbol->st_shndx != SHN_UNDEF && symbol->st_value
        && strcmp(object->strings + symbol->st_name, name) == 0;
}

/* An older version of a function may behave otherwise: it is taken if there is no other. */
static bool is_old(const struct elfsym_object *object, uint32_t index)
{
    return object->versions && object->versions[index] & 0x8000;
}

/* Layout: buckets, first symbol, bloom words, bloom shift, the bloom filter, buckets, chains. */
static uint32_t gnu_find(const struct elfsym_object *object, const char *name, uint32_t hash)
{
    const uint32_t *table = object->gnu_hash;
    uint32_t buckets = table[0], first = table[1], bloom_words = table[2];
    const uint32_t *bucket = table + 4 + bloom_words * (sizeof(ElfW(Addr)) / 4);
    const uint32_t *chain = bucket + buckets;
    uint32_t index = buckets ? bucket[hash % buckets] : 0, old = 0;
    if (index < first) {
        return 0;
    }
    for (;; index++) {
        uint32_t other = chain[index - first];
        if ((other | 1) == (hash | 1) && matches(object, index, name)) {
            if (!is_old(object, index)) {
                return index;
            }
            old = index;
        }
        if (other & 1) {
            return old;
        }
    }
}

static uint32_t sysv_find(const struct elfsym_object *object, const char *name)
{
    uint32_t old = 0;
    for (uint32_t index = 1; index < object->sysv_hash[1]; index++) {
        if (matches(object, index, name)) {
            if (!is_old(object, index)) {
                return index;
            }
            old = index;
        }
    }
    return old;
}

uint32_t elfsym_index(const struct elfsym_object *object, const char *name)
{
    return object->gnu_hash ? gnu_find(object, name, gnu_hash_of(name)) : sysv_find(object, name);
}

static int search_object(struct dl_phdr_info *info, size_t size, void *data)
{
    struct search *search = data;
    struct elfsym_object object;
    if (!search->seen_self && elfsym_contains(info, (uintptr_t)&self_marker)) {
        search->seen_self = true;
        return 0;
    }
    if ((search->after_self && !search->seen_self) || !elfsym_read(info, &object)) {
        return 0;
    }
    uint32_t index = object.gnu_hash ? gnu_find(&object, search->name, search->gnu_hash)
                                     : sysv_find(&object, search->name);
    if (!index || ELF64_ST_TYPE(object.symbols[index].st_info) == STT_TLS) {
        return 0;
    }
    uintptr_t address = object.base + object.symbols[index].st_value;
    if (ELF64_ST_TYPE(object.symbols[index].st_info) == STT_GNU_IFUNC) {
        address = ((uintptr_t(*)(void))address)();
    }
    search->found = (void *)address;
    return 1;
}

static void *find(const char *name, bool after_self)
{
    struct search search = {
        .name = name, .gnu_hash = gnu_hash_of(name), .after_self = after_self};
    dl_iterate_phdr(search_object, &search);
    return search.found;
}

void *elfsym_find(const char *name)
{
    return find(name, false);
}

void *elfsym_next(const char *name)
{
    return find(name, true);
}

void *elfsym_of(const struct loaded *loaded, const char *name)
{
    struct elfsym_object object;
    struct dl_phdr_info info = {.dlpi_addr = loaded->base,
        .dlpi_phdr = loaded->segments,
        .dlpi_phnum = (ElfW(Half))loaded->n_segments};
    uint32_t index = elfsym_read(&info, &object) ? elfsym_index(&object, name) : 0;
    return index ? (void *)(object.base + object.symbols[index].st_value) : NULL;
}

struct text_search {
    uintptr_t address, start, end;
};

/* An object has more than one executable segment where a tool has laid its code out anew (BOLT
   puts what is hot at the end): all of them, with what is in between. */
static int search_text(struct dl_phdr_info *info, size_t size, void *data)
{
    struct text_search *search = data;
    uintptr_t first = UINTPTR_MAX, last = 0;
    bool is_inside = false;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        uintptr_t start = info->dlpi_addr + segment->p_vaddr, end = start + segment->p_memsz;
        if (segment->p_type == PT_LOAD && (segment->p_flags & PF_X)) {
            is_inside |= search->address >= start && search->address < end;
            first = start < first ? start : first;
            last = end > last ? end : last;
        }
    }
    if (is_inside) {
        search->start = first;
        search->end = last;
    }
    return is_inside;
}

int elfsym_text(const void *address, uintptr_t *start, uintptr_t *end)
{
    struct text_search search = {.address = (uintptr_t)address};
    int found = dl_iterate_phdr(search_text, &search);
    *start = search.start;
    *end = search.end;
    return found;
}
