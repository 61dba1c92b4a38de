/*
 * How large the blocks were that a process asked for, and how many of them were
 * temporary.  In the collector, for every event: one counter each.
 */
#ifndef COLLECT_SIZES_H
#define COLLECT_SIZES_H

#include <stdint.h>

#include "memtrace/ring.h"
#include "trace/writer.h"

enum { SIZES_DOMAINS = MT_DOMAIN_MALLOC + 1, SIZES_BUCKETS = 65 };

struct sizes { /* by domain */
    /* Allocations, reallocations too, by the number of bits of the size: 0; 1; 2, 3; 4 to 7; ... */
    uint64_t counts[SIZES_BUCKETS][SIZES_DOMAINS];
    /* Freed by the thread that allocated them, which allocated nothing in between; not known where
       blocks are samples. */
    uint64_t temporary[SIZES_DOMAINS];
};

/* So many blocks of that size more. */
static inline void sizes_add(struct sizes *sizes, uint32_t domain, uint64_t size, uint64_t count)
{
    unsigned bits = 63 - (unsigned)__builtin_clzll(size << 1 | 1); /* sizes have no top bit */
    if (domain < SIZES_DOMAINS) {
        sizes->counts[bits][domain] += count;
    }
}

/* What follows the process in a chunk SIZES. */
void sizes_put(struct buffer *body, const struct sizes *sizes);

#endif
