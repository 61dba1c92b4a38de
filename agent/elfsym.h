/*
 * Finds symbols of the loaded objects by reading their hash tables: what dlsym
 * does, without its locks on the error state and without its allocations.
 * Runs in the host, in malloc's first call too.
 */
#ifndef AGENT_ELFSYM_H
#define AGENT_ELFSYM_H

#include <stddef.h>
#include <stdint.h>

/* Address of a defined symbol in the first object that has it, in load order;
   NULL if none has.  The agent itself is skipped. */
void *elfsym_find(const char *name);
/* The same, only in objects loaded after the agent: what it interposes. */
void *elfsym_next(const char *name);
/* Code segment of the object that contains address; false if none does. */
int elfsym_text(const void *address, uintptr_t *start, uintptr_t *end);

#endif
