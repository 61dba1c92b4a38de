/*
 * What a block does to the sums of its process and of all, and to their peaks (accounts.h): for the
 * loop of all events (plain.c), which it is inlined into.  accounts.c does the same in general.
 */
#ifndef COLLECT_SUMS_H
#define COLLECT_SUMS_H

#include "collect/accounts.h"
#include "memtrace/ring.h"

#define FAST static inline __attribute__((always_inline))
#define RARELY(condition) __builtin_expect(condition, 0)

FAST bool is_native(const struct cell *cell)
{
    return cell->domain == MT_DOMAIN_MALLOC;
}

FAST uint64_t *total_for(struct account *account, const struct cell *cell)
{
    _Static_assert(offsetof(struct totals, native) == offsetof(struct totals, python) + 8, "");
    return &account->now.python + is_native(cell);
}

FAST uint64_t sum_with(const struct account *account, uint64_t size)
{
    return account->now.python + account->now.native + size;
}

/* Before a cell changes: what it held at the peak is kept, if it has not changed since. */
FAST void keep_peak_of(struct account *account, struct cell *cell, int scope)
{
    if (RARELY(account->peak.rising || cell->epochs[scope] != account->peak.epoch)) {
        accounts_keep_peak(account, cell, scope);
    }
}

/* Whether a sum that has grown is the largest so far.  `high` is never more than the peak, nor less
   than what is live. */
FAST bool rises_to(struct account *account, uint64_t sum, uint64_t time_us)
{
    if (sum <= account->high) {
        return false;
    }
    account->high = sum;
    if (sum <= account->peak.best) {
        return false;
    }
    account->peak.best = sum;
    account->peak.time_us = time_us;
    account->peak.rising = account->peak.unwritten = true;
    return true;
}

FAST void grow_sum(
    struct account *account, struct cell *cell, int scope, uint64_t size, uint64_t time_us)
{
    if (!rises_to(account, sum_with(account, size), time_us)) {
        keep_peak_of(account, cell, scope);
    }
    *total_for(account, cell) += size;
    account->now.blocks++;
}

FAST void shrink_sum(struct account *account, struct cell *cell, int scope, uint64_t size)
{
    keep_peak_of(account, cell, scope);
    *total_for(account, cell) -= size;
    account->now.blocks--;
}

/* `gone` bytes of one cell become `size` bytes of another, or of the same. */
struct shift {
    struct cell *from, *to;
    uint64_t gone, size;
};

FAST void shift_sum(struct account *account, const struct shift *shift, int scope, uint64_t time_us)
{
    bool grows = shift->size > shift->gone;
    if (!grows || !rises_to(account, sum_with(account, shift->size - shift->gone), time_us)) {
        keep_peak_of(account, shift->from, scope);
        keep_peak_of(account, shift->to, scope);
    }
    *total_for(account, shift->from) -= shift->gone;
    *total_for(account, shift->to) += shift->size;
}

/* False if the sum with a block that comes and goes at once may be a peak. */
FAST bool is_below_peak(const struct account *account, uint64_t sum)
{
    return !account->peak.rising && sum <= account->peak.best;
}

FAST void raise_high(struct account *account, uint64_t sum)
{
    account->high = sum > account->high ? sum : account->high;
}

#endif
