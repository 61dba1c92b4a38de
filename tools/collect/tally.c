/*
 * Where a tally begins, ends and comes to a peak (tally.h).  In the collector.
 */
#include "collect/tally.h"

#include <stdatomic.h>

#define NO_EPOCH UINT64_MAX

static uint64_t live_of(const struct totals *totals)
{
    return totals->python + totals->native;
}

static struct amounts amounts_of(const struct totals *totals)
{
    return (struct amounts){totals->python, totals->native, totals->blocks};
}

static struct account *account_in(struct accounts *accounts, int scope)
{
    return scope == SCOPE_ALL ? &accounts->all : accounts->tally.account;
}

/* What the sum of a scope is when the process has this one. */
static uint64_t in_scope(const struct tally *tally, int scope, uint64_t sum)
{
    return scope == SCOPE_ALL ? tally->elsewhere + sum : sum;
}

/* Which events have to be looked at, as the peaks are now. */
static void look(struct accounts *accounts)
{
    struct tally *tally = &accounts->tally;
    uint64_t ceilings[SCOPES];
    int rising = 0;
    for (int scope = 0; scope < SCOPES; scope++) {
        const struct peak *peak = &account_in(accounts, scope)->peak;
        uint64_t elsewhere = in_scope(tally, scope, 0);
        tally->epochs[scope] = peak->rising ? NO_EPOCH : peak->epoch;
        ceilings[scope] = peak->rising              ? UINT64_MAX
                          : peak->best >= elsewhere ? peak->best - elsewhere
                                                    : 0;
        rising += peak->rising;
    }
    tally->ceiling = ceilings[0] < ceilings[1] ? ceilings[0] : ceilings[1];
    tally->is_rising = rising == SCOPES;
    tally->is_calm = rising == 0;
}

/* A sum that is at its peak has done nothing but grow. */
static void put_sum(struct account *account, uint64_t high, const struct tally *tally)
{
    struct peak *peak = &account->peak;
    account->high = high > account->high ? high : account->high;
    if (peak->rising && live_of(&account->now) > peak->best) {
        peak->best = live_of(&account->now);
        peak->time_us = tally->time_us;
        peak->unwritten = true;
    }
}

static void put_totals(struct totals *now, const struct amounts *before, const struct tally *tally)
{
    uint64_t native = tally->live[MT_DOMAIN_MALLOC];
    now->python = before->python + (tally->sum - tally->began) - native;
    now->native = before->native + native;
    now->blocks = before->blocks + tally->blocks;
}

/* Brings both accounts up to date.  Twice is as good as once. */
static void put(struct accounts *accounts)
{
    struct tally *tally = &accounts->tally;
    put_totals(&tally->account->now, &tally->own, tally);
    put_totals(&accounts->all.now, &tally->all, tally);
    put_sum(tally->account, tally->high, tally);
    put_sum(&accounts->all, in_scope(tally, SCOPE_ALL, tally->high), tally);
}

void tally_begin(struct accounts *accounts, struct account *account, uint64_t time_us)
{
    struct tally *tally = &accounts->tally;
    uint64_t sum = live_of(&account->now);
    *tally = (struct tally){.own = amounts_of(&account->now),
        .all = amounts_of(&accounts->all.now),
        .time_us = time_us,
        .began = sum,
        .sum = sum,
        .high = sum,
        .elsewhere = live_of(&accounts->all.now) - sum};
    atomic_signal_fence(memory_order_seq_cst);
    tally->account = account;
    look(accounts);
}

void tally_end(struct accounts *accounts)
{
    struct tally *tally = &accounts->tally;
    if (tally->account) {
        put(accounts);
        atomic_signal_fence(memory_order_seq_cst);
        tally->account = NULL;
    }
}

void tally_rise(struct accounts *accounts)
{
    struct tally *tally = &accounts->tally;
    for (int scope = 0; scope < SCOPES; scope++) {
        struct peak *peak = &account_in(accounts, scope)->peak;
        uint64_t sum = in_scope(tally, scope, tally->high);
        if (sum > peak->best) {
            peak->best = sum;
            peak->time_us = tally->time_us;
            peak->rising = peak->unwritten = true;
        }
    }
    look(accounts);
}

void tally_touch(struct accounts *accounts, struct cell *cell, bool grows)
{
    bool ends_peak = !grows && !accounts->tally.is_calm;
    if (ends_peak) {
        put(accounts);
    }
    for (int scope = 0; scope < SCOPES; scope++) {
        struct account *account = account_in(accounts, scope);
        if (!account->peak.rising || !grows) {
            accounts_keep_peak(account, cell, scope);
        }
    }
    if (ends_peak) {
        look(accounts);
    }
}
