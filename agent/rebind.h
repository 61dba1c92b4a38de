/*
 * Standing before functions of one object that are not interposed by name.
 *
 * operator new is such a function: a library that defines its own, loaded
 * without RTLD_GLOBAL, would get ours for it, and what ours must then call the
 * loader alone knows.  So the agent exports none.  Where the allocator that
 * stands behind us has its own, that object's symbols are made to mean ours:
 * whoever would have called it calls us, and nobody else does.
 */
#ifndef AGENT_REBIND_H
#define AGENT_REBIND_H

#include <stdbool.h>
#include <stddef.h>

struct rebind {
    const char *name;
    void *hook;
    void **next; /* becomes the real one, if the object has it; else NULL */
};

/* Of the object that contains `inside`.  What an object was bound to already is bound anew; so are
   its own calls with `itself`.  May be called again. */
void rebind(const struct rebind *doors, size_t count, const void *inside, bool itself);

#endif
