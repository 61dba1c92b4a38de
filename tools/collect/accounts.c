/*
 * Cells, totals and peaks (accounts.h).  In the collector, for every event.
 */
#include "collect/accounts.h"

#include <stdlib.h>

#include "collect/memory.h"
#include "memtrace/ring.h"

void accounts_init(struct accounts *accounts)
{
    *accounts = (struct accounts){0};
    definitions_init(&accounts->definitions);
    accounts->cells =
        memory_grow(NULL, &accounts->cells_capacity, 1, sizeof(*accounts->cells));
    accounts->n_cells = 1;
    account_init(&accounts->all);
}

void account_init(struct account *account)
{
    *account = (struct account){.peak.epoch = 1}; /* no cell is saved at epoch 0 */
}

void accounts_free(struct accounts *accounts)
{
    definitions_free(&accounts->definitions);
    free(accounts->cells);
    *accounts = (struct accounts){0};
}

uint32_t accounts_cell(struct accounts *accounts, uint32_t site)
{
    struct site_record *record = &accounts->definitions.sites[site];
    if (record->cell && accounts->cells[record->cell].birth == accounts->birth) {
        return record->cell;
    }
    uint32_t id = accounts->n_cells++;
    accounts->cells = memory_grow(
        accounts->cells, &accounts->cells_capacity, accounts->n_cells, sizeof(struct cell));
    accounts->cells[id] = (struct cell){
        .site = site, .birth = accounts->birth, .domain = (uint8_t)record->domain};
    record->cell = id;
    return id;
}

static uint64_t live(const struct totals *totals)
{
    return totals->python + totals->native;
}

static bool is_live(const struct cell *cell)
{
    return cell->domain <= MT_DOMAIN_MALLOC;
}

static uint64_t *total_of(struct totals *totals, const struct cell *cell)
{
    switch (cell->domain) {
    case MT_DOMAIN_MALLOC:
        return &totals->native;
    case MT_DOMAIN_MMAP:
        return &totals->mapped;
    case MT_DOMAIN_ARENA:
        return &totals->arenas;
    default:
        return &totals->python;
    }
}

static void note_change(struct account *account, struct cell *cell, uint32_t id)
{
    if (!cell->is_changed) {
        cell->is_changed = true;
        account->changed = memory_grow(account->changed, &account->changed_capacity,
            account->n_changed + 1, sizeof(*account->changed));
        account->changed[account->n_changed++] = id;
    }
}

/* A change that is no new peak is coming. */
static inline void keep_peak(struct account *account, struct cell *cell, int scope)
{
    struct peak *peak = &account->peak;
    if (peak->rising) {
        peak->rising = false;
        peak->totals = account->now;
        peak->epoch++;
    }
    if (cell->saved[scope].epoch != peak->epoch) {
        cell->saved[scope] = (struct saved){cell->bytes, cell->blocks, peak->epoch};
    }
}

/* True if the sum after a change of `more` bytes is the largest so far. */
static inline bool rises(struct account *account, int64_t more, uint64_t time_us)
{
    uint64_t sum = live(&account->now) + (uint64_t)more;
    if (sum > account->high) {
        account->high = sum;
    }
    if (sum <= account->peak.best) {
        return false;
    }
    account->peak.best = sum;
    account->peak.time_us = time_us;
    account->peak.rising = account->peak.unwritten = true;
    return true;
}

static inline void apply(
    struct totals *totals, const struct cell *cell, int64_t bytes, int64_t blocks)
{
    *total_of(totals, cell) += (uint64_t)bytes;
    if (is_live(cell)) {
        totals->blocks += (uint64_t)blocks;
    }
}

static inline void change(struct accounts *accounts, struct account *account, uint32_t id,
    int64_t bytes, int64_t blocks)
{
    struct cell *cell = &accounts->cells[id];
    apply(&account->now, cell, bytes, blocks);
    apply(&accounts->all.now, cell, bytes, blocks);
    cell->bytes += bytes;
    cell->blocks += blocks;
    note_change(account, cell, id);
}

void accounts_add(struct accounts *accounts, struct account *account, uint32_t id, uint64_t size,
    uint64_t time_us)
{
    struct cell *cell = &accounts->cells[id];
    int64_t more = is_live(cell) ? (int64_t)size : 0;
    if (!more || !rises(account, more, time_us)) {
        keep_peak(account, cell, SCOPE_PROCESS);
    }
    if (!more || !rises(&accounts->all, more, time_us)) {
        keep_peak(&accounts->all, cell, SCOPE_ALL);
    }
    cell->allocated_bytes += size;
    cell->allocations++;
    change(accounts, account, id, (int64_t)size, 1);
}

void accounts_remove(
    struct accounts *accounts, struct account *account, uint32_t id, uint64_t size)
{
    struct cell *cell = &accounts->cells[id];
    keep_peak(account, cell, SCOPE_PROCESS);
    keep_peak(&accounts->all, cell, SCOPE_ALL);
    change(accounts, account, id, -(int64_t)size, -1);
}

void accounts_shrink(
    struct accounts *accounts, struct account *account, uint32_t id, uint64_t bytes)
{
    struct cell *cell = &accounts->cells[id];
    keep_peak(account, cell, SCOPE_PROCESS);
    keep_peak(&accounts->all, cell, SCOPE_ALL);
    change(accounts, account, id, -(int64_t)bytes, 0);
}

void accounts_move(struct accounts *accounts, struct account *account, uint32_t old_id,
    uint64_t old_size, uint32_t id, uint64_t size, uint64_t time_us)
{
    struct cell *old = &accounts->cells[old_id], *cell = &accounts->cells[id];
    int64_t more = (is_live(cell) ? (int64_t)size : 0) - (is_live(old) ? (int64_t)old_size : 0);
    if (more <= 0 || !rises(account, more, time_us)) {
        keep_peak(account, old, SCOPE_PROCESS);
        keep_peak(account, cell, SCOPE_PROCESS);
    }
    if (more <= 0 || !rises(&accounts->all, more, time_us)) {
        keep_peak(&accounts->all, old, SCOPE_ALL);
        keep_peak(&accounts->all, cell, SCOPE_ALL);
    }
    cell->allocated_bytes += size;
    cell->allocations++;
    change(accounts, account, old_id, -(int64_t)old_size, -1);
    change(accounts, account, id, (int64_t)size, 1);
}

struct saved accounts_at_peak(
    const struct cell *cell, const struct account *account, int scope)
{
    const struct saved *saved = &cell->saved[scope];
    if (!account->peak.rising && saved->epoch == account->peak.epoch) {
        return *saved;
    }
    return (struct saved){cell->bytes, cell->blocks, 0};
}

const struct totals *accounts_peak_totals(const struct account *account)
{
    return account->peak.rising ? &account->now : &account->peak.totals;
}
