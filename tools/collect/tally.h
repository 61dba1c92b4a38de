/*
 * What the blocks of one process do to its sums and to those of all, one ring's events on end: for
 * the loop of all events (plain.c), which it is inlined into.
 *
 * While a tally is under way the sums of both accounts are behind, and the tally says by how much.
 * As long as neither sum comes above its peak nothing else has to be looked at for an event than
 * whether the peak has its cell (accounts.h): one comparison stands for both sums, since those of
 * other processes do not change meanwhile.  accounts.c does the same in general, event by event.
 *
 * It lies in the store.  A collector that is killed leaves one that is under way, and the next one
 * ends it: an event more or less, as elsewhere.
 */
#ifndef COLLECT_TALLY_H
#define COLLECT_TALLY_H

#include "collect/accounts.h"
#include "memtrace/ring.h"

#define FAST static inline __attribute__((always_inline))
#define RARELY(condition) __builtin_expect(condition, 0)

/* Before the events of a process, which all have the same time. */
void tally_begin(struct accounts *accounts, struct account *account, uint64_t time_us);
/* After them, and after a collector that was killed: the accounts are as they should be. */
void tally_end(struct accounts *accounts);

/* The sum is above what either may be without being a peak. */
void tally_rise(struct accounts *accounts);
/* Before a cell changes that the peaks do not have as it is, or while a sum is at its peak. */
void tally_touch(struct accounts *accounts, struct cell *cell, bool grows);

FAST bool tally_has_kept(const struct tally *tally, const struct cell *cell)
{
    return ((cell->epochs[SCOPE_PROCESS] ^ tally->epochs[SCOPE_PROCESS]) |
               (cell->epochs[SCOPE_ALL] ^ tally->epochs[SCOPE_ALL])) == 0;
}

/* True if that sum is a peak of both: then no cell has to be kept. */
FAST bool tally_raise(struct accounts *accounts, uint64_t sum)
{
    struct tally *tally = &accounts->tally;
    tally->high = sum;
    if (RARELY(sum > tally->ceiling)) {
        tally_rise(accounts);
    }
    return tally->is_rising;
}

/* Before a cell grows by so many bytes, and with it the sums. */
FAST void tally_grow(struct accounts *accounts, struct cell *cell, uint32_t domain, uint64_t size)
{
    struct tally *tally = &accounts->tally;
    uint64_t sum = tally->sum + size;
    bool grows = sum > tally->high, is_peak = grows && tally_raise(accounts, sum);
    if (!is_peak && RARELY(!tally_has_kept(tally, cell))) {
        tally_touch(accounts, cell, grows);
    }
    tally->sum = sum;
    tally->live[domain] += size;
    tally->blocks++;
}

/* Before it shrinks. */
FAST void tally_shrink(struct accounts *accounts, struct cell *cell, uint64_t size)
{
    struct tally *tally = &accounts->tally;
    if (RARELY(!tally_has_kept(tally, cell))) {
        tally_touch(accounts, cell, false);
    }
    tally->sum -= size;
    tally->live[cell->domain] -= size;
    tally->blocks--;
}

/* Before `gone` bytes of one cell become `size` bytes of another, or of the same. */
FAST void tally_move(
    struct accounts *accounts, struct cell *from, uint64_t gone, struct cell *to, uint64_t size)
{
    struct tally *tally = &accounts->tally;
    uint64_t sum = tally->sum + size - gone;
    bool grows = sum > tally->high, is_peak = grows && tally_raise(accounts, sum);
    if (!is_peak && RARELY(!tally_has_kept(tally, from) || !tally_has_kept(tally, to))) {
        tally_touch(accounts, from, grows);
        tally_touch(accounts, to, grows);
    }
    tally->sum = sum;
    tally->live[from->domain] -= gone;
    tally->live[to->domain] += size;
}

/* A block of that size comes and goes at once; false, and nothing has changed, if a sum may be at
   its peak then. */
FAST bool tally_pass(struct tally *tally, uint64_t size)
{
    uint64_t sum = tally->sum + size;
    if (RARELY(!tally->is_calm) || sum > tally->ceiling) {
        return false;
    }
    tally->high = sum > tally->high ? sum : tally->high;
    return true;
}

#endif
