/*
 * Blocks of a session that may sample: what they count for in the accounts, and,
 * beside the cells, how uncertain their sums are.  In the collector.
 *
 * A cell's spread is the sum of those of its blocks (trace/weight.h).  It goes the
 * ways of the cell's bytes: saved at peaks, merged with its interval, written as
 * changes.
 */
#ifndef COLLECT_SPREADS_H
#define COLLECT_SPREADS_H

#include <stdint.h>

#include "collect/accounts.h"
#include "collect/heapmap.h"
#include "trace/weight.h"

struct spread { /* of one cell */
    int64_t live, written;
    int64_t allocated, written_allocated; /* of all that it was ever given */
    int64_t saved[SCOPES];
    uint64_t epochs[SCOPES]; /* when it was saved */
};

/* What a block that lives counts for. */
static inline struct weight spreads_weight(
    const struct accounts *accounts, uint64_t address, uint64_t size)
{
    return __builtin_expect(accounts->sample_bytes != 0, 0)
               ? weight_of_block(address, size, accounts->sample_bytes)
               : (struct weight){(int64_t)size, 1, 0};
}

/* A sample appears, goes, or becomes another: accounts_add, _remove and _move with weights. */
void spreads_add(struct accounts *accounts, struct account *account, const struct block *block,
    uint64_t time_us);
void spreads_remove(struct accounts *accounts, struct account *account, const struct block *block);
void spreads_move(struct accounts *accounts, struct account *account, const struct block *old,
    const struct block *block, uint64_t time_us);

/* How many allocations such a sample counts for: each time another whole number, right on average.
 */
uint64_t spreads_count(struct accounts *accounts, uint64_t size);

/* A cell's number is used (again): it has no spread yet. */
void spreads_reset(struct accounts *accounts, uint32_t cell);
/* As the cells themselves are merged, before they are. */
void spreads_merge(
    struct accounts *accounts, const struct account *account, uint32_t from, uint32_t into);
int64_t spreads_at_peak(
    const struct accounts *accounts, uint32_t cell, const struct account *account, int scope);

#endif
