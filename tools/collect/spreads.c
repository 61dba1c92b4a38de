/*
 * Samples in the accounts (spreads.h).  In the collector, for every sample.
 */
#include "collect/spreads.h"

#include "collect/memory.h"

/* Of what is only ever added up, each time rounded otherwise. */
static struct weight once(struct accounts *accounts, uint64_t size)
{
    accounts->random += 0x9e3779b97f4a7c15ull;
    return weight_of(size, accounts->sample_bytes, weight_mix(accounts->random));
}

uint64_t spreads_count(struct accounts *accounts, uint64_t size)
{
    return (uint64_t)once(accounts, size).blocks;
}

static struct weight weight_of_sample(const struct accounts *accounts, const struct block *block)
{
    return weight_of_block(block->address, block->size, accounts->sample_bytes);
}

/* The account knows by now whether its peak is over. */
static void keep(struct spread *spread, const struct account *account, int scope)
{
    if (!account->peak.rising && spread->epochs[scope] != account->peak.epoch) {
        spread->saved[scope] = spread->live;
        spread->epochs[scope] = account->peak.epoch;
    }
}

static struct spread *kept(
    const struct accounts *accounts, const struct account *account, uint32_t cell)
{
    struct spread *spread = &accounts->spreads[cell];
    keep(spread, account, SCOPE_PROCESS);
    keep(spread, &accounts->all, SCOPE_ALL);
    return spread;
}

void spreads_add(
    struct accounts *accounts, struct account *account, const struct block *block, uint64_t time_us)
{
    struct weight live = weight_of_sample(accounts, block), ever = once(accounts, block->size);
    accounts_add_weight(accounts, account, block->cell, &live, &ever, time_us);
    struct spread *spread = kept(accounts, account, block->cell);
    spread->live += live.spread;
    spread->allocated += live.spread;
}

void spreads_remove(struct accounts *accounts, struct account *account, const struct block *block)
{
    struct weight live = weight_of_sample(accounts, block);
    uint32_t cell = accounts_standing(accounts, block->cell);
    accounts_let_go(accounts, account, block->cell, live.bytes, live.blocks);
    kept(accounts, account, cell)->live -= live.spread;
}

void spreads_move(struct accounts *accounts, struct account *account, const struct block *old,
    const struct block *block, uint64_t time_us)
{
    struct weight gone = weight_of_sample(accounts, old);
    struct weight live = weight_of_sample(accounts, block), ever = once(accounts, block->size);
    uint32_t old_cell = accounts_standing(accounts, old->cell);
    accounts_move_weight(accounts, account, old->cell, &gone, block->cell, &live, &ever, time_us);
    kept(accounts, account, old_cell)->live -= gone.spread;
    struct spread *spread = kept(accounts, account, block->cell);
    spread->live += live.spread;
    spread->allocated += live.spread;
}

void spreads_reset(struct accounts *accounts, uint32_t cell)
{
    accounts->spreads = memory_grow(
        accounts->spreads, &accounts->spreads_capacity, cell + 1, sizeof(*accounts->spreads));
    accounts->spreads[cell] = (struct spread){0};
}

int64_t spreads_at_peak(
    const struct accounts *accounts, uint32_t cell, const struct account *account, int scope)
{
    const struct spread *spread = &accounts->spreads[cell];
    bool is_saved = !account->peak.rising && spread->epochs[scope] == account->peak.epoch;
    return is_saved ? spread->saved[scope] : spread->live;
}

void spreads_merge(
    struct accounts *accounts, const struct account *account, uint32_t from, uint32_t into)
{
    const struct account *scopes[SCOPES] = {account, &accounts->all};
    const struct spread *gone = &accounts->spreads[from];
    struct spread *spread = &accounts->spreads[into];
    for (int scope = 0; scope < SCOPES; scope++) {
        spread->saved[scope] = spreads_at_peak(accounts, from, scopes[scope], scope) +
                               spreads_at_peak(accounts, into, scopes[scope], scope);
        spread->epochs[scope] = scopes[scope]->peak.epoch;
    }
    spread->live += gone->live;
    spread->written += gone->written;
    spread->allocated += gone->allocated;
    spread->written_allocated += gone->written_allocated;
}
