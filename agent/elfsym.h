/*
 * Finds symbols of the loaded objects by reading their hash tables: what dlsym
 * does, without its locks on the error state and without its allocations.
 * Runs in the host, in malloc's first call too.
 */
#ifndef AGENT_ELFSYM_H
#define AGENT_ELFSYM_H

#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The dynamic section of a loaded object. */
struct elfsym_object {
    uintptr_t base;
    const ElfW(Sym) * symbols;
    const char *strings;
    const uint32_t *gnu_hash, *sysv_hash;
    const uint16_t *versions; /* of the symbols; NULL where they have none */
    struct elfsym_relocations {
        const ElfW(Rela) * first;
        size_t count;
    } relocations[2]; /* of data, of calls */
};

/* False if it has no symbols. */
bool elfsym_read(const struct dl_phdr_info *info, struct elfsym_object *object);
/* Number of a symbol that it defines, 0 if it does not. */
uint32_t elfsym_index(const struct elfsym_object *object, const char *name);
bool elfsym_contains(const struct dl_phdr_info *info, uintptr_t address);

/* Address of a defined symbol in the first object that has it, in load order;
   NULL if none has.  The agent itself is skipped. */
void *elfsym_find(const char *name);
/* The same, only in objects loaded after the agent: what it interposes. */
void *elfsym_next(const char *name);
/* Address of what this object defines under that name; NULL if it does not. */
struct loaded;
void *elfsym_of(const struct loaded *object, const char *name);
/* The code of the object that contains address: all its executable segments; false if none does. */
int elfsym_text(const void *address, uintptr_t *start, uintptr_t *end);

#endif
