/*
 * The interpreter in the host: which one it is, where its structures lie, how to
 * reach a thread's state, and the hooks in its allocators.
 */
#ifndef AGENT_PYTHON_H
#define AGENT_PYTHON_H

#include <stdbool.h>
#include <stdint.h>

#include "pycurrent.h"
#include "pyoffsets.h"
#include "thread.h"

struct python {
    bool known;          /* offsets are valid: stacks can be walked */
    bool present;        /* there is an interpreter */
    bool readable;       /* and it stays: its state may be read */
    bool is_late;        /* the program has loaded it after its start */
    bool may_drop;       /* hooks, silently, as it has no thread with a state yet */
    uint32_t version;    /* Py_Version, 0 if there is none */
    uintptr_t code_type; /* &PyCode_Type */
    struct pyoffsets offsets;
    const volatile uintptr_t *finalizing; /* not zero once finalization has begun */
    bool state_is_own; /* `current` gives the calling thread's state (3.12 and later), not
                          that of whoever holds the GIL */
    void *(*current)(void);
    struct pycurrent current_at; /* what that loads, if it is known */
    void *(*of_this_thread)(void);
    uintptr_t text_start, text_end; /* the interpreter's code */
};
extern struct python python __attribute__((visibility("hidden")));

/* True if this is an address in the interpreter's code. */
static inline bool python_calls(uintptr_t caller)
{
    return caller - python.text_start < python.text_end - python.text_start;
}

/* Looks for an interpreter among the loaded objects. */
void python_find(void);
/* It is there for good; until then nothing of it is read. */
void python_may_read(bool is_late);
/* Its state may be read, and it has been there from the program's start on. */
void python_find_current(void);
/* It has been unloaded. */
void python_forget(void);
/* Its hooks have gone with it. */
void python_forget_hooks(void);
/* Says so if it is of a version that is not known, once in a session. */
void python_complain(void);
/* Of an object whose code allocates: says so if it is one more interpreter, once in a session. */
struct loaded;
void python_note_object(const struct loaded *object);
/* Hooks its allocators, again where a hook was dropped; true if any was missing. */
bool python_hook(void);
/* The same where the interpreter may have dropped them without a call that tells. */
void python_hook_early(void);
/* The block at this address was the interpreter's own, allocated while a hook was missing: the
   debug layer that had taken the hook's place will free it by another address. */
void python_note_unhooked(const void *address);
/* The interpreter frees or moves this block of malloc's itself: what was recorded for it, which
   is another address if that was a hook above a debug layer, and the hook is missing now. */
const void *python_recorded_as(const void *address);
/* Writes the record that describes this program image; first in its first ring. */
bool python_announce(struct thread *thread);
/* The same of an interpreter that came since. */
void python_announce_late(void);

/* State of the calling thread, 0 if it has none.  with_gil: the caller is known to hold it. */
uintptr_t python_state(bool with_gil);

#endif
