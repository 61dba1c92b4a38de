/*
 * Which symbols of an object span some addresses.  Only with libdw.
 */
#ifndef TRACE_ELFSYMBOLS_H
#define TRACE_ELFSYMBOLS_H

#include <elfutils/libdwfl.h>
#include <stdbool.h>
#include <stddef.h>

struct elfsymbol {
    GElf_Addr at;     /* what is looked for, as libdwfl counts */
    const char *name; /* the object's; NULL: no symbol spans it */
    GElf_Addr value;  /* where that symbol begins */
    GElf_Xword size;
    int rank;       /* how widely it is known */
    bool is_global; /* found among the globals */
};

/* For all addresses, which are in their order, what dwfl_module_addrinfo says of each, in the
   time that this takes for one of them; but labels, which have no size, name nothing. */
void elfsymbols_find(Dwfl_Module *module, struct elfsymbol *wanted, size_t n);
/* That of an address among them; NULL if it is not. */
const struct elfsymbol *elfsymbols_at(const struct elfsymbol *wanted, size_t n, GElf_Addr at);

#endif
