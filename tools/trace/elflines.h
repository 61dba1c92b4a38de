/*
 * Lines of native code, and what was inlined there: what the debugging
 * information of a module says of an address.  Only with libdw.
 */
#ifndef TRACE_ELFLINES_H
#define TRACE_ELFLINES_H

#include <elfutils/libdwfl.h>

#include "trace/elfnames.h"
#include "trace/elfunits.h"

/* Adds to `name` the line of the function at the address (as libdwfl counts), and the functions
   that were inlined there, with theirs.  A function whose name is not known ends the list. */
void elflines_find(struct elfunits *units, Dwfl_Module *module, GElf_Addr at, struct elfname *name);

#endif
