/*
 * Cells, totals and peaks (accounts.h).  In the collector, for every event.
 */
#include "collect/accounts.h"

#include <stdlib.h>

#include "collect/memory.h"
#include "collect/spreads.h"
#include "memtrace/ring.h"

void accounts_init(struct accounts *accounts)
{
    *accounts = (struct accounts){0};
    definitions_init(&accounts->definitions);
    accounts->cells = memory_grow(NULL, &accounts->cells_capacity, 1, sizeof(*accounts->cells));
    accounts->n_cells = 1;
    account_init(&accounts->all);
    accounts_begin(accounts, 0);
    accounts_process(accounts, 0, &accounts->all);
}

void account_init(struct account *account)
{
    *account = (struct account){.peak.epoch = 1}; /* no cell is saved at epoch 0 */
}

void accounts_free(struct accounts *accounts)
{
    definitions_free(&accounts->definitions);
    for (size_t i = 0; i < accounts->n_intervals; i++) {
        memory_free(accounts->intervals[i].cells);
    }
    memory_free(accounts->intervals);
    memory_free(accounts->unused);
    memory_free(accounts->processes);
    memory_free(accounts->cells);
    memory_free(accounts->spreads);
    *accounts = (struct accounts){0};
}

void accounts_process(struct accounts *accounts, uint32_t process, struct account *account)
{
    accounts->processes = memory_grow(accounts->processes, &accounts->processes_capacity,
        process + 1, sizeof(*accounts->processes));
    accounts->processes[process] = account;
}

static uint32_t new_cell(struct accounts *accounts)
{
    if (accounts->n_unused) {
        return accounts->unused[--accounts->n_unused];
    }
    uint32_t id = accounts->n_cells++;
    accounts->cells = memory_grow(
        accounts->cells, &accounts->cells_capacity, accounts->n_cells, sizeof(struct cell));
    return id;
}

static bool is_of(const struct cell *cell, uint32_t birth)
{
    return cell->site && !cell->merged_into && cell->birth == birth;
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* Drops from its list what is not of it any more, and what is there twice: the number of a cell
   that went, and was used again. */
static void sweep(const struct accounts *accounts, struct interval *interval)
{
    size_t kept = 0;
    qsort(interval->cells, interval->n_cells, sizeof(*interval->cells), by_number);
    for (size_t i = 0; i < interval->n_cells; i++) {
        uint32_t id = interval->cells[i];
        if (is_of(&accounts->cells[id], interval->birth) &&
            (!kept || interval->cells[kept - 1] != id)) {
            interval->cells[kept++] = id;
        }
    }
    interval->n_cells = kept;
}

/* A list that is still more than half full after a sweep grows: sweeps stay rare. */
static void list_cell(const struct accounts *accounts, struct interval *interval, uint32_t id)
{
    size_t need = interval->n_cells + 1;
    if (interval->n_cells && interval->n_cells == interval->capacity) {
        sweep(accounts, interval);
        need = interval->n_cells * 2 > interval->capacity ? interval->capacity + 1 : 0;
    }
    interval->cells =
        memory_grow(interval->cells, &interval->capacity, need, sizeof(*interval->cells));
    interval->cells[interval->n_cells++] = id;
}

uint32_t accounts_cell(struct accounts *accounts, uint32_t site)
{
    struct site_record *record = &accounts->definitions.sites[site];
    if (record->cell && accounts->cells[record->cell].birth == accounts->birth) {
        return record->cell;
    }
    uint32_t id = new_cell(accounts);
    accounts->cells[id] = (struct cell){.site = site,
        .birth = accounts->birth,
        .older = record->cell,
        .site_id = record->id,
        .domain = record->domain & 7};
    if (record->cell) {
        accounts->cells[record->cell].newer = id;
    }
    if (accounts->sample_bytes) {
        spreads_reset(accounts, id);
    }
    record->cell = id;
    list_cell(accounts, &accounts->intervals[accounts->n_intervals - 1], id);
    return id;
}

static inline uint32_t standing(const struct accounts *accounts, uint32_t id)
{
    while (__builtin_expect(accounts->cells[id].merged_into != 0, 0)) {
        id = accounts->cells[id].merged_into;
    }
    return id;
}

uint32_t accounts_standing(const struct accounts *accounts, uint32_t id)
{
    return standing(accounts, id);
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
    static const uint8_t places[8] = {
        [MT_DOMAIN_RAW] = offsetof(struct totals, python),
        [MT_DOMAIN_MEM] = offsetof(struct totals, python),
        [MT_DOMAIN_OBJ] = offsetof(struct totals, python),
        [MT_DOMAIN_MALLOC] = offsetof(struct totals, native),
        [MT_DOMAIN_MMAP] = offsetof(struct totals, mapped),
        [MT_DOMAIN_ARENA] = offsetof(struct totals, arenas),
        [MT_DOMAIN_INHERITED] = offsetof(struct totals, inherited),
        [MT_DOMAIN_FILE] = offsetof(struct totals, mapped),
    };
    return (uint64_t *)((char *)totals + places[cell->domain]);
}

void accounts_note_change(struct account *account, struct cell *cell, uint32_t id)
{
    if (!cell->is_changed) {
        cell->is_changed = true;
        account->changed = memory_grow(account->changed, &account->changed_capacity,
            account->n_changed + 1, sizeof(*account->changed));
        account->changed[account->n_changed++] = id;
    }
}

static void save(struct cell *cell, int scope, struct saved saved, uint64_t epoch)
{
    cell->saved_bytes[scope] = saved.bytes;
    cell->saved_blocks[scope] = (int32_t)saved.blocks;
    cell->epochs[scope] = epoch;
}

void accounts_keep_peak(struct account *account, struct cell *cell, int scope)
{
    struct peak *peak = &account->peak;
    if (peak->rising) {
        peak->rising = false;
        peak->totals = account->now;
        peak->epoch++;
    }
    if (cell->epochs[scope] != peak->epoch) {
        save(cell, scope, (struct saved){cell->bytes, cell->blocks}, peak->epoch);
    }
}

/* Whether the sum after a growth of `more` bytes is the largest so far.  `high` is never more than
   the peak, nor less than what is live. */
static inline bool rises(struct account *account, int64_t more, uint64_t time_us)
{
    uint64_t sum = live(&account->now) + (uint64_t)more;
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

static inline void apply(
    struct totals *totals, const struct cell *cell, int64_t bytes, int64_t blocks)
{
    *total_of(totals, cell) += (uint64_t)bytes;
    if (is_live(cell)) {
        totals->blocks += (uint64_t)blocks;
    }
}

static inline void change(
    struct accounts *accounts, struct account *account, uint32_t id, int64_t bytes, int64_t blocks)
{
    struct cell *cell = &accounts->cells[id];
    apply(&account->now, cell, bytes, blocks);
    apply(&accounts->all.now, cell, bytes, blocks);
    cell->bytes += bytes;
    cell->blocks += blocks;
    accounts_note_change(account, cell, id);
}

static inline void add(struct accounts *accounts, struct account *account, uint32_t id,
    const struct weight *live, const struct weight *ever, uint64_t time_us)
{
    struct cell *cell = &accounts->cells[id];
    int64_t more = is_live(cell) ? live->bytes : 0;
    if (!more || !rises(account, more, time_us)) {
        accounts_keep_peak(account, cell, SCOPE_PROCESS);
    }
    if (!more || !rises(&accounts->all, more, time_us)) {
        accounts_keep_peak(&accounts->all, cell, SCOPE_ALL);
    }
    cell->refs++;
    cell->allocated_bytes += (uint64_t)ever->bytes;
    cell->allocations += (uint64_t)ever->blocks;
    change(accounts, account, id, live->bytes, live->blocks);
}

void accounts_add(struct accounts *accounts, struct account *account, uint32_t id, uint64_t size,
    uint64_t time_us)
{
    struct weight block = {(int64_t)size, 1, 0};
    add(accounts, account, id, &block, &block, time_us);
}

void accounts_add_weight(struct accounts *accounts, struct account *account, uint32_t id,
    const struct weight *live, const struct weight *ever, uint64_t time_us)
{
    add(accounts, account, id, live, ever, time_us);
}

/* One name of a cell goes; the cell that it stands for now. */
static inline uint32_t drop_name(struct accounts *accounts, uint32_t id)
{
    struct cell *cell = &accounts->cells[id];
    cell->refs--;
    if (__builtin_expect(cell->merged_into != 0, 0)) {
        uint32_t standing_id = standing(accounts, id);
        accounts_tidy(accounts, id);
        return standing_id;
    }
    return id;
}

static void take(
    struct accounts *accounts, struct account *account, uint32_t id, int64_t bytes, int64_t blocks)
{
    struct cell *cell = &accounts->cells[id];
    accounts_keep_peak(account, cell, SCOPE_PROCESS);
    accounts_keep_peak(&accounts->all, cell, SCOPE_ALL);
    change(accounts, account, id, -bytes, -blocks);
}

void accounts_remove(struct accounts *accounts, struct account *account, uint32_t id, uint64_t size)
{
    take(accounts, account, drop_name(accounts, id), (int64_t)size, 1);
}

void accounts_name(struct accounts *accounts, uint32_t id)
{
    accounts->cells[id].refs++;
}

void accounts_hold(struct accounts *accounts, struct account *account, uint32_t id, int64_t bytes,
    int64_t blocks, bool given)
{
    id = standing(accounts, id);
    take(accounts, account, id, -bytes, -blocks);
    if (given) {
        accounts->cells[id].allocated_bytes += (uint64_t)bytes;
        accounts->cells[id].allocations += (uint64_t)blocks;
    }
}

void accounts_let_go(
    struct accounts *accounts, struct account *account, uint32_t id, int64_t bytes, int64_t blocks)
{
    take(accounts, account, drop_name(accounts, id), bytes, blocks);
}

void accounts_cut(
    struct accounts *accounts, struct account *account, uint32_t id, uint64_t bytes, int ranges)
{
    if (ranges < 0) {
        accounts->cells[id].refs++;
    }
    uint32_t cell = ranges > 0 ? drop_name(accounts, id) : standing(accounts, id);
    take(accounts, account, cell, (int64_t)bytes, ranges);
}

static inline void move(struct accounts *accounts, struct account *account, uint32_t old_id,
    const struct weight *gone, uint32_t id, const struct weight *live, const struct weight *ever,
    uint64_t time_us)
{
    old_id = drop_name(accounts, old_id);
    struct cell *old = &accounts->cells[old_id], *cell = &accounts->cells[id];
    int64_t more = (is_live(cell) ? live->bytes : 0) - (is_live(old) ? gone->bytes : 0);
    if (more <= 0 || !rises(account, more, time_us)) {
        accounts_keep_peak(account, old, SCOPE_PROCESS);
        accounts_keep_peak(account, cell, SCOPE_PROCESS);
    }
    if (more <= 0 || !rises(&accounts->all, more, time_us)) {
        accounts_keep_peak(&accounts->all, old, SCOPE_ALL);
        accounts_keep_peak(&accounts->all, cell, SCOPE_ALL);
    }
    cell->refs++;
    cell->allocated_bytes += (uint64_t)ever->bytes;
    cell->allocations += (uint64_t)ever->blocks;
    change(accounts, account, old_id, -gone->bytes, -gone->blocks);
    change(accounts, account, id, live->bytes, live->blocks);
}

void accounts_move(struct accounts *accounts, struct account *account, uint32_t old_id,
    uint64_t old_size, uint32_t id, uint64_t size, uint64_t time_us)
{
    struct weight gone = {(int64_t)old_size, 1, 0}, block = {(int64_t)size, 1, 0};
    move(accounts, account, old_id, &gone, id, &block, &block, time_us);
}

void accounts_move_weight(struct accounts *accounts, struct account *account, uint32_t old_id,
    const struct weight *gone, uint32_t id, const struct weight *live, const struct weight *ever,
    uint64_t time_us)
{
    move(accounts, account, old_id, gone, id, live, ever, time_us);
}

/* ---- intervals ---- */

void accounts_begin(struct accounts *accounts, uint32_t birth)
{
    accounts->intervals = memory_grow(accounts->intervals, &accounts->intervals_capacity,
        accounts->n_intervals + 1, sizeof(*accounts->intervals));
    accounts->intervals[accounts->n_intervals++] = (struct interval){.birth = birth};
    accounts->birth = birth;
}

static struct account *account_of(struct accounts *accounts, const struct cell *cell)
{
    return accounts->processes[accounts->definitions.sites[cell->site].process];
}

static void merge_peaks(struct accounts *accounts, const struct cell *from, struct cell *into)
{
    const struct account *scopes[SCOPES] = {account_of(accounts, into), &accounts->all};
    for (int scope = 0; scope < SCOPES; scope++) {
        struct saved a = accounts_at_peak(from, scopes[scope], scope);
        struct saved b = accounts_at_peak(into, scopes[scope], scope);
        struct saved both = {a.bytes + b.bytes, a.blocks + b.blocks};
        save(into, scope, both, scopes[scope]->peak.epoch);
    }
}

/* `from` is the next older cell of the same site: it goes on as part of `into`. */
static void merge(struct accounts *accounts, uint32_t from_id, uint32_t into_id)
{
    struct cell *from = &accounts->cells[from_id], *into = &accounts->cells[into_id];
    if (accounts->sample_bytes) {
        spreads_merge(accounts, account_of(accounts, into), from_id, into_id);
    }
    merge_peaks(accounts, from, into);
    into->bytes += from->bytes;
    into->blocks += from->blocks;
    into->allocated_bytes += from->allocated_bytes;
    into->allocations += from->allocations;
    into->written_bytes += from->written_bytes;
    into->written_blocks += from->written_blocks;
    into->written_allocated_bytes += from->written_allocated_bytes;
    into->written_allocations += from->written_allocations;
    if (from->is_changed) {
        accounts_note_change(account_of(accounts, into), into, into_id);
    }
    into->older = from->older;
    if (from->older) {
        accounts->cells[from->older].newer = into_id;
    }
    from->merged_into = into_id;
    into->refs++;
    accounts_tidy(accounts, from_id);
}

static size_t find_interval(const struct accounts *accounts, uint32_t birth)
{
    size_t i = accounts->n_intervals - 1;
    while (i && accounts->intervals[i].birth != birth) {
        i--;
    }
    return i;
}

void accounts_join(struct accounts *accounts, uint32_t birth)
{
    size_t at = find_interval(accounts, birth);
    if (at == 0) {
        return;
    }
    struct interval gone = accounts->intervals[at], *before = &accounts->intervals[at - 1];
    for (size_t i = 0; i < gone.n_cells; i++) {
        struct cell *cell = &accounts->cells[gone.cells[i]];
        accounts_tidy(accounts, gone.cells[i]);
        if (!is_of(cell, birth)) {
            continue;
        }
        if (cell->older && accounts->cells[cell->older].birth == before->birth) {
            merge(accounts, cell->older, gone.cells[i]);
        }
        cell->birth = before->birth;
        list_cell(accounts, before, gone.cells[i]);
    }
    memory_free(gone.cells);
    accounts->n_intervals--;
    for (size_t i = at; i < accounts->n_intervals; i++) {
        accounts->intervals[i] = accounts->intervals[i + 1];
    }
    if (accounts->birth == birth) {
        accounts->birth = accounts->intervals[accounts->n_intervals - 1].birth;
    }
}

static bool is_in_peak(const struct cell *cell, const struct account *account, int scope)
{
    struct saved saved = accounts_at_peak(cell, account, scope);
    return !account->is_over && (saved.bytes || saved.blocks);
}

static bool holds_something(struct accounts *accounts, const struct cell *cell)
{
    return cell->is_changed || cell->bytes || cell->blocks || cell->written_bytes ||
           cell->written_blocks || is_in_peak(cell, &accounts->all, SCOPE_ALL) ||
           is_in_peak(cell, account_of(accounts, cell), SCOPE_PROCESS);
}

/* Out of the list of its site, whose next block will make a new one. */
static void unlink_cell(struct accounts *accounts, uint32_t id)
{
    const struct cell *cell = &accounts->cells[id];
    struct site_record *site = &accounts->definitions.sites[cell->site];
    if (site->cell == id) {
        site->cell = cell->older;
    }
    if (cell->older) {
        accounts->cells[cell->older].newer = cell->newer;
    }
    if (cell->newer) {
        accounts->cells[cell->newer].older = cell->older;
    }
}

void accounts_tidy(struct accounts *accounts, uint32_t id)
{
    struct cell *cell = &accounts->cells[id];
    if (cell->refs || !cell->site) {
        return;
    }
    if (!cell->merged_into) {
        if (holds_something(accounts, cell)) {
            return;
        }
        unlink_cell(accounts, id);
    }
    uint32_t merged_into = cell->merged_into;
    *cell = (struct cell){0};
    accounts->unused = memory_grow(accounts->unused, &accounts->unused_capacity,
        accounts->n_unused + 1, sizeof(*accounts->unused));
    accounts->unused[accounts->n_unused++] = id;
    if (merged_into) {
        accounts->cells[merged_into].refs--;
        accounts_tidy(accounts, merged_into);
    }
}

struct saved accounts_at_peak(const struct cell *cell, const struct account *account, int scope)
{
    if (!account->peak.rising && cell->epochs[scope] == account->peak.epoch) {
        return (struct saved){cell->saved_bytes[scope], cell->saved_blocks[scope]};
    }
    return (struct saved){cell->bytes, cell->blocks};
}

const struct totals *accounts_peak_totals(const struct account *account)
{
    return account->peak.rising ? &account->now : &account->peak.totals;
}
