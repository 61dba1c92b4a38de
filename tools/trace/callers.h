/*
 * Which frames are "yours": what the key `caller` groups by.  Everything that is
 * not the standard library, an installed package or a name like <frozen ...>.
 */
#ifndef TRACE_CALLERS_H
#define TRACE_CALLERS_H

#include <stddef.h>
#include <stdint.h>

#include "trace/arena.h"
#include "trace/model.h"

/* Where in `name` the part below site-packages, dist-packages or the standard library begins:
   the name itself if it is below neither. */
const char *callers_library_part(const char *name);

/* For each node, the innermost node of its stack whose frame is yours, 0 if there is none.
   With `mine`, yours is what matches one of these patterns, and nothing else. */
uint32_t *callers_find(const struct trace *trace, char **mine, size_t n_mine, struct arena *arena);

#endif
