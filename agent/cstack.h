/*
 * The native stack of the calling thread, and where it meets the Python stack, as
 * a node of the trie (`run --native`).  In the host, inside malloc.
 */
#ifndef AGENT_CSTACK_H
#define AGENT_CSTACK_H

#include <stdbool.h>
#include <stdint.h>

#include "native.h"
#include "thread.h"
#include "unwind.h"

/* A frame as last seen, root first.  Its function will be returned to at frame.ip. */
struct cstack_level {
    struct unwind_frame frame;
    uint8_t kind;   /* of the rule to its caller, enum cfi_kind */
    bool needs_bp;  /* a caller of it is found by the frame pointer that it leaves alone */
    int32_t python; /* what it was called from: a level of the Python stack, or CSTACK_* */
};

enum { CSTACK_NO_PYTHON = -1, CSTACK_HIDDEN = -2 };

struct cstack {
    struct cstack_level *levels, *fresh; /* fresh: innermost first, while they are collected */
    uint32_t n, n_fresh, capacity;
    bool is_odd;                  /* not one stack from the root on: nothing of it is kept */
    bool is_cut;                  /* who called the outermost level could not be found */
    uint32_t parent, depth, node; /* the answer, while the stack stays as it is */
    struct unwind unwind;
};

/* Finds the interpreter's evaluation loop. */
void cstack_setup(void);
void cstack_discard(struct thread *thread);
/* Another thread will use this state. */
void cstack_forget(struct thread *thread);
/* Addresses may be another object's, and the trie may be another one. */
void cstack_distrust(struct thread *thread);

/* The node of the whole stack, `parent` being that of the Python stack as it is now (0: none).
   NATIVE_FULL as of native_node. */
uint32_t cstack_node(struct thread *thread, uint32_t parent, struct caller caller);

/* For cstack.c alone (cmerge.c): the node for the levels that are there. */
uint32_t cmerge_node(struct thread *thread, const struct cstack *stack, uint32_t parent);
void cmerge_setup(void);

#endif
