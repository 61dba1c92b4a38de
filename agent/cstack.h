/*
 * The native stack of the calling thread, and where it meets the Python stack, as
 * a node of the trie (`run --native`).  In the host, inside malloc.
 */
#ifndef AGENT_CSTACK_H
#define AGENT_CSTACK_H

#include <stdbool.h>
#include <stdint.h>

#include "crecall.h"
#include "native.h"
#include "thread.h"
#include "unwind.h"

/* The node of a native stack and the Python frames in it, while it grows from the root. */
struct merge {
    uint32_t node;
    int32_t python; /* the Python frames up to this level are in it */
    bool differs;   /* from the Python stack's own node there */
};

/* A frame as last seen, root first.  Its function will be returned to at frame.ip. */
struct cstack_level {
    struct unwind_frame frame;
    uint8_t kind;  /* of the rule to its caller, enum cfi_kind */
    bool needs_bp; /* a caller of it is found by the frame pointer that it leaves alone */
    /* By cmerge.c and cassign.c: */
    int32_t python;    /* what it was called from: a level of the Python stack, or CSTACK_* */
    uint32_t loop;     /* the run of the evaluation loop that called it: a level here */
    uint32_t above;    /* the node of the Python frame that it was called from */
    struct merge node; /* up to here */
};

enum { CSTACK_NO_PYTHON = -1, CSTACK_HIDDEN = -2 };
#define CSTACK_NO_LOOP UINT32_MAX

struct cstack {
    struct cstack_level *levels, *fresh; /* fresh: innermost first, while they are collected */
    uint32_t n, n_fresh, capacity;
    uint32_t merged;        /* so many levels are as they were when their nodes were found, */
    uint32_t begin;         /* this one the first that counted, */
    uint32_t first;         /* this one Python's first loop, */
    bool is_embedded;       /* which code that is not the interpreter's has called */
    bool is_python;         /* there were Python frames */
    bool is_partial;        /* some of whose loops are out of sight: nothing of this is kept */
    bool is_odd;            /* not one stack from the root on: nothing of it is kept */
    bool is_cut;            /* who called the outermost level could not be found */
    struct crecall_key key; /* of the levels as they are */
    uint32_t node;
    struct unwind unwind;
    struct crecall recall;
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
uint32_t cmerge_node(struct thread *thread, struct cstack *stack, uint32_t parent);
void cmerge_setup(void);

/* For crecall.c alone: the frame pointer of the hook's caller, on whose stack this is called. */
uintptr_t cstack_caller_bp(struct cstack *stack, struct caller caller);

/* Where in the Python stack the runs of the evaluation loop begin, as a hash: the same native
   frames and the same Python frames go together in another way where it is another. */
uint32_t cassign_runs(const struct thread *thread);

/* For cmerge.c alone (cassign.c). */
void cassign_setup(void);
/* Says of each level from which Python frame it was called, and lowers `merged` to those of which
   it says the same as before; returns the outermost level that counts. */
uint32_t cassign(struct thread *thread, struct cstack *stack, bool is_python);
/* Is more below the outermost frame than is there?  The C library itself has stacks that begin so.
 */
bool cassign_is_cut(struct thread *thread, struct cstack *stack);
/* The module of a level. */
struct cstack_module {
    uint32_t number;
    uint8_t kind;  /* enum module_kind */
    bool is_known; /* false: there is no room for it */
};
struct cstack_module cstack_module(
    struct thread *thread, struct cstack *stack, const struct cstack_level *level);

#endif
