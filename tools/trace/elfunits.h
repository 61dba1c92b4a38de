/*
 * The compilation units of a module by their addresses, also where no
 * .debug_aranges has them: clang writes none unless it is told to.  Only with libdw.
 */
#ifndef TRACE_ELFUNITS_H
#define TRACE_ELFUNITS_H

#include <elfutils/libdwfl.h>
#include <stdbool.h>
#include <stddef.h>

struct elfunits { /* zeroed is empty, and of no module yet */
    struct elfunits_range {
        Dwarf_Addr start, end; /* as the debugging information counts; the end is outside */
        Dwarf_Die unit;
    } * ranges; /* by their starts */
    size_t n, capacity;
    Dwarf_Addr bias; /* of addresses of the module, to these */
    bool is_read;
};

/* The unit of that address of the module (as libdwfl counts); false if there is none.  All its
   calls are of one module, until elfunits_free.  *bias: what an address is more than in the unit.
 */
bool elfunits_find(
    struct elfunits *units, Dwfl_Module *module, GElf_Addr at, Dwarf_Die *unit, Dwarf_Addr *bias);
/* It is empty then.  The module may be gone already. */
void elfunits_free(struct elfunits *units);

#endif
