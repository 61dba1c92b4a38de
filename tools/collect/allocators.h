/*
 * Objects that bring an allocator of their own, whose blocks pass the agent by.
 */
#ifndef COLLECT_ALLOCATORS_H
#define COLLECT_ALLOCATORS_H

#include <stdbool.h>

#include "trace/elfnames.h"

#define ALLOCATORS_SIZE 64u

/* The names of what is in the object of the last elfnames_open, whose file is at this path; false
   if there is none that is known, or its malloc is there for the agent to stand before. */
bool allocators_find(char found[ALLOCATORS_SIZE], struct elfnames *names, const char *path);

#endif
