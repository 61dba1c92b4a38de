/*
 * Which loaded object an address belongs to.  In the host, inside malloc.
 */
#ifndef AGENT_LOADED_H
#define AGENT_LOADED_H

#include <elf.h>
#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loaded {
    uintptr_t start, end; /* all its segments */
    uintptr_t base;       /* what the loader added to the addresses of its file */
    const ElfW(Phdr) * segments;
    unsigned n_segments;
    const char *name; /* as the loader has it: empty for the program itself; perhaps relative */
};

/* Finds how to ask, once. */
void loaded_setup(void);
/* The object whose code is running at `address` or will be returned to there: it stays loaded
   meanwhile.  False if it is in none. */
bool loaded_find(uintptr_t address, struct loaded *object);
/* Its build id, NULL if it has none. */
const uint8_t *loaded_build_id(const struct loaded *object, size_t *size);
/* Its .eh_frame_hdr, NULL if it has none. */
const uint8_t *loaded_frame_table(const struct loaded *object);

#endif
