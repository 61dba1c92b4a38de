/*
 * Native stacks of a thread that were seen lately, by where they begin, each with
 * the words of memory that say that it is there again.  In the host, inside malloc.
 */
#ifndef AGENT_CRECALL_H
#define AGENT_CRECALL_H

#include <stdbool.h>
#include <stdint.h>

#include "native.h"

struct cstack;

/* What a stack is known by. */
struct crecall_key {
    struct caller caller;
    uint32_t parent, depth, runs; /* of the Python stack (cassign_runs) */
};

struct crecall_entry {
    struct crecall_key key;
    uintptr_t bp;   /* of the caller, where that is used */
    uint64_t start; /* of its words, counted from the first that was ever written */
    uint32_t n;     /* 0: none, it was seen once */
    uint32_t node;
    bool needs_bp;
};

struct crecall_word {
    uintptr_t at, value;
};

#define CRECALL_SETS 128u
#define CRECALL_WAYS 8u
#define CRECALL_WORDS 32768u

struct crecall {
    uint64_t written;
    struct crecall_set {
        struct crecall_entry ways[CRECALL_WAYS];
    } sets[CRECALL_SETS];
    uint8_t turns[CRECALL_SETS]; /* the way that is to be used next */
    struct crecall_word words[CRECALL_WORDS];
};

static inline bool crecall_is_same(const struct crecall_key *one, const struct crecall_key *other)
{
    return one->caller.stack == other->caller.stack &&
           one->caller.address == other->caller.address && one->parent == other->parent &&
           one->depth == other->depth && one->runs == other->runs;
}

/* The node of the stack that begins so; 0 if it is not known. */
uint32_t crecall_find(struct cstack *stack, const struct crecall_key *key);
/* The stack that was just walked has this node. */
void crecall_note(struct cstack *stack, const struct crecall_key *key, uint32_t node);
void crecall_forget(struct crecall *recall);

#endif
