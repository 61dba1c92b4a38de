/*
 * Files with the debugging information of an object.  Only with libdw.
 */
#ifndef TRACE_ELFDEBUG_H
#define TRACE_ELFDEBUG_H

#include <stdbool.h>

#include <elfutils/libdwfl.h>

/* As dwfl_standard_find_debuginfo, which first loads what it would ask a server with, and that are
   thirty libraries: where DEBUGINFOD_URLS names none and no file is here, it is not called. */
int elfdebug_find(Dwfl_Module *module, void **data, const char *name, Dwarf_Addr base,
    const char *file, const char *link, GElf_Word crc, char **path);

/* Has the object debugging information, itself or in a file that its link names? */
bool elfdebug_is_here(const char *file);

#endif
