/*
 * One program image: what a process is from its start or fork until it execs or
 * ends.  The collector's state of it: live blocks, maps, order, counters.
 */
#ifndef COLLECT_IMAGE_H
#define COLLECT_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "collect/accounts.h"
#include "collect/eventlog.h"
#include "collect/forks.h"
#include "collect/heapmap.h"
#include "collect/rangemap.h"
#include "collect/sizes.h"
#include "memtrace/ring.h"

struct sample {
    uint64_t time_us, rss;
    struct totals totals;
    uint64_t high;
};

struct share { /* at a time: RSS, and its proportional and its unique part */
    uint64_t time_us, rss, pss, uss;
};

struct ring;

struct region { /* one that is open (regions.c) */
    uint32_t number, name, thread;
    uint64_t start_us, live, peak; /* live: at its start */
};

struct counting { /* while the image lives: 6 KB of every one of thousands */
    uint32_t expected[MT_COUNTERS]; /* next number of each order counter */
    struct sizes sizes;
};

struct image {
    uint32_t number, parent_number;
    uint32_t parent_fork; /* which fork of the parent, 0: not known */
    int pid;
    int inner_pid;  /* what it and its threads are called in their own PID namespace: the same mostly */
    int parent_pid; /* 0: as it says itself */
    int pidfd;      /* -1 where the kernel has none */
    int statm;      /* descriptor of its /proc/PID/statm, -1 if that is gone */
    int pagemap;    /* descriptor of its /proc/PID/pagemap, -1 if it is not open, */
    bool has_no_pagemap; /* or cannot be */
    uint64_t untouched;  /* a sum over what was last said of it; 0: nothing */
    bool announced; /* its PROCESS record was read */
    bool dead;      /* nothing will be added to its rings */
    bool finished;
    bool has_end;     /* its moment "end" was written */
    uint32_t process; /* id in the trace */
    uint64_t start_us, end_us;
    uint64_t dead_us;   /* when it was first found dead, 0 before */
    uint64_t end_chunk; /* the writer's sequence at its PROCESS_END, plus 1; 0 before */
    int status;
    struct ring *rings; /* open ones (ring->next) */
    struct account account;
    struct totals end; /* at the moment "end" */
    struct heapmap blocks;
    struct rangemap maps;
    struct forks forks;
    struct counting *counting; /* NULL once it is finished */
    struct eventlog *log;      /* if every event is kept, while it lives */
    uint64_t expected_map;
    uint64_t unknown_frees, duplicate_allocations, inherited_frees, gap_events, gap_bytes, events;
    bool was_paused;        /* not every block was recorded */
    uint64_t paused_frees;  /* of blocks that were not */
    struct region *regions; /* open ones, in the order of their begins */
    size_t n_regions, regions_capacity;
    uint64_t high; /* largest python + native since the last sample, beside account.high */
    uint32_t n_threads, other_threads; /* definitions; the id that further ones share */
    uint64_t max_rss, max_agent; /* bytes; of the agent what is in the process beside its own */
    uint64_t agent_bytes;        /* as last weighed, with its rings */
    struct sample *samples; /* not yet written */
    size_t n_samples, samples_capacity;
    uint64_t rss;         /* of the last sample */
    uint64_t ring_bytes;  /* of agent_bytes those of rings */
    struct share share;   /* the last one */
    uint64_t shares_us;   /* when it was read, or was tried */
    struct share *shares; /* not yet written */
    size_t n_shares, shares_capacity;
};

/* A child by fork frees what its parent allocated. */
static inline bool image_is_forked(const struct image *image)
{
    return image->parent_number != 0;
}

#endif
