/*
 * The loaded objects that native callers are in: each is announced in the ring
 * once, before the first node that names it.  In the host, inside malloc.
 */
#ifndef AGENT_MODULES_H
#define AGENT_MODULES_H

#include <stdbool.h>
#include <stdint.h>

#include "thread.h"

enum module_kind { MODULE_OTHER, MODULE_NONE, MODULE_CXX_RUNTIME, MODULE_SYSTEM };

struct native_module {
    uintptr_t start, end;
    uint64_t identity; /* of name, build id and place */
    uint32_t number;   /* 0: code that is in no object, a page of it */
    uint8_t kind;      /* enum module_kind */
    bool is_unsure;    /* something was unloaded since */
};

/* The module that holds the address; NULL where there is no room to remember it.  Stays until the
   next call. */
const struct native_module *modules_find(struct thread *thread, uintptr_t address);
/* Something was unloaded: each has to be looked at again. */
void modules_distrust(struct native *native);
/* True if there is no room for as many more before the thread forgets all that it has defined. */
bool modules_are_many(const struct native *native, uint32_t more);
void modules_discard(struct native *native);

#endif
