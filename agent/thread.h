/*
 * What the agent keeps for one thread: its ring, its cached stack, its trie.
 * Runs in the host.  Only the owning thread touches one, but for thread_forget.
 *
 * Threads are made lazily, on a thread's first event, and go back to a pool
 * when it ends: a program that starts 500 threads one after the other uses one.
 */
#ifndef AGENT_THREAD_H
#define AGENT_THREAD_H

#include <stdbool.h>
#include <stdint.h>

#include "memtrace/linetable.h"
#include "memtrace/ring.h"

/* One level of the Python stack as last seen, root first (pystack.c). */
struct level {
    uintptr_t frame, instruction;
    uintptr_t code; /* where the instruction alone does not say which it is; else unused */
    uint32_t node;
};
#define LEVEL_SHIM 1u /* instruction of a level that is a shim: nothing else may be read there */

/* A node of the trie (intern.c): half a cache line. */
struct node {
    uint64_t key; /* code id << 32 | instruction */
    uint32_t parent;
    uint32_t child[3];
    uint16_t tags[3];
    uint16_t children; /* inline children in use */
};

/* The last answers of the trie: a node by its parent and where its frame is. */
struct memo {
    uint64_t where;
    uint32_t parent, node;
};

struct code {
    uintptr_t address, base, first; /* base: of the bytecode; first: first traceable instruction */
    uint32_t id;
    uint32_t lines, line_words; /* codelines.h */
#ifdef MEMTRACE_SELFCHECK
    uint64_t selfcheck; /* selfcheck_code when it was defined */
#endif
};

/* Who called the allocator, by his return address (native.c). */
struct native_site {
    uintptr_t address;
    uint32_t parent, node; /* the Python stack's, and the caller's on top of it */
};

struct native_module; /* an object that was announced */
struct cstack;        /* the native stack as last seen (cstack.h) */

#define NATIVE_SITES 256u
#define NATIVE_FRAMES 64u

struct native {
    uint32_t unloads; /* native_unloads when last looked at */
    uint32_t n_modules, modules_capacity, last_number;
    struct native_module *modules; /* by address */
    struct cstack *stack;          /* with `run --native` */
    struct native_site sites[NATIVE_SITES];
    struct native_frame {
        uintptr_t address;
        uint32_t size; /* of a frame of the C++ runtime, to be stepped out of; else 0 */
    } frames[NATIVE_FRAMES];
};

#define THREAD_NAME_SIZE 16u /* the kernel's, with the NUL */
#define THREAD_HINTS 512u
#define THREAD_LOOK UINT64_MAX /* no time of the clock */
#define THREAD_MEMOS 256u

struct thread {
    /* the ring */
    uint64_t *words;
    uint64_t mask, head, limit;
    struct mt_ring *ring;
    _Atomic uint64_t clock_us; /* as last written; others may set what forces a look at `forks` */
    uint32_t forks;            /* of the process, as last written */
    uint64_t lost_events, lost_bytes; /* of the gap that lasts */
    bool impatient;                   /* a signal handler's: what it waits for may wait for it */
    bool in_gap;                      /* there was no room for too long: do not wait any more */
    uint32_t questions;               /* asked so far */
    /* the cached stack */
    struct level *levels; /* there is one more below the first, of no frame */
    struct level *top;    /* the innermost: levels[depth - 1] */
    uint32_t depth, levels_capacity;
    uint8_t mark_byte;  /* this cache's marks on activations, 0 if there are too many caches */
    int32_t mark_top;   /* negative */
    uint64_t mark_slot; /* the address of no object */
    uint64_t deaths_seen;
    /* the trie and the codes of this ring */
    struct node *nodes;
    uint32_t n_nodes, nodes_capacity;
    uint32_t nodes_checked; /* up to so many there is no need to ask whether they are too many */
    uint64_t *overflow;     /* children that found no inline slot: hash << 32 | child */
    uint32_t overflow_capacity, n_overflow;
    struct code *codes;
    uint32_t codes_capacity, codes_used, n_codes;
    uint64_t *line_bits; /* codelines.h */
    uint32_t line_words, line_words_capacity;
    uintptr_t *fresh; /* frames not yet in the cache, innermost first */
    uint32_t fresh_capacity;
    uint32_t hints[THREAD_HINTS]; /* frame → its level, to be checked */
    struct memo memos[THREAD_MEMOS];
    struct native native;
    _Atomic uint32_t taken;
    bool is_unnamed; /* by threading.Thread (pythreadname.h), as far as is known */
    int tid;
    char name[THREAD_NAME_SIZE]; /* as last written */
};

/* So many of its levels are the stack as last seen. */
static inline void thread_set_depth(struct thread *thread, uint32_t depth)
{
    thread->depth = depth;
    thread->top = thread->levels + (intptr_t)depth - 1;
}

/* What runs below a hook that is under way: nested.c needs to know. */
enum below {
    BELOW_NOTHING = 0, /* the agent itself is at work */
    BELOW_NATIVE = 1,  /* the real malloc or mmap, or another function that may call them */
    BELOW_PYTHON = 2,  /* the interpreter's allocator */
    BELOW_MOVE = 3     /* the same, freeing or moving a block: what it does to others are events */
};

/* In thread_local_state.depth: an arena was made during the outermost call. */
#define THREAD_MADE_ARENA 0x10000u

struct thread_local_state {
    struct thread *thread;
    struct thread *other; /* for signal handlers that interrupt the agent (nested.c) */
    union {
        struct {
            uint32_t depth; /* > 0: inside a hook, or the agent is at work */
            enum below below;
        };
        uint64_t guard; /* both */
    };
    uintptr_t moving; /* BELOW_MOVE: the block, as the trace knows it */
    bool ended;       /* the thread's destructor has run */
    bool loads;       /* its last allocation was the loader's (late.c) */
    bool asks;        /* the interpreter for its state, which may allocate (python.c) */
    uint32_t fork;    /* while this thread forks: which fork of the image it is */
    bool is_seeded;   /* sampling (sample.h): random numbers come from `random` */
    uint64_t random;
    uint64_t gap; /* bytes that it may allocate without a sample */
};
extern __thread struct thread_local_state thread_self
    __attribute__((tls_model("initial-exec"), visibility("hidden")));

/* The calling thread's state, made or taken from the pool; NULL if there is no room, in which
   case tracing has been turned off.  The caller holds the guard (depth > 0). */
struct thread *thread_acquire(void);
/* Gives a state of the calling thread back to the pool. */
void thread_give_back(struct thread *thread);
/* After an event of a thread that has already ended: gives its states back. */
void thread_release(void);
/* Writes that what other threads have recorded so far comes before what follows; false if tracing
   is off. */
bool thread_depend_on_others(struct thread *thread);
/* What other threads record from now on comes after a fork. */
void thread_tell_of_fork(const struct thread *forking);
/* In a forked child: drops every thread's state, the rings belong to the parent. */
void thread_forget_all(void);
/* Number of threads that hold a state. */
uint32_t thread_count(void);
/* Finds what thread ends are noticed with; once, in the constructor. */
void thread_setup(void);

#endif
