/*
 * Who holds how much: cells, totals and exact peaks.  Used by the collector for
 * every event.
 *
 * A cell is what one site allocated during one interval (its birth) and still
 * holds.  A peak keeps the state of all cells at the instant of the largest sum:
 * while the sum rises nothing has to be kept; at the first change after it each
 * cell is saved before it is changed.  All sizes are bytes as the program asked
 * for them.
 */
#ifndef COLLECT_ACCOUNTS_H
#define COLLECT_ACCOUNTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collect/definitions.h"

struct totals {
    uint64_t python, native; /* live: raw, mem, obj; the malloc family */
    uint64_t mapped, arenas; /* kept apart */
    uint64_t blocks;         /* of python and native */
};

struct peak {
    uint64_t best; /* python + native */
    uint64_t time_us;
    struct totals totals; /* at that instant; valid unless rising */
    uint64_t epoch;
    bool rising;    /* now is the peak */
    bool unwritten; /* has moved since it was last written */
};

/* One sum over time: that of a process, or of all. */
struct account {
    struct totals now;
    struct peak peak;
    uint64_t high; /* largest python + native since the last sample */
    uint32_t *changed; /* cells that changed since they were last written; processes only */
    size_t n_changed, changed_capacity;
};

enum { SCOPE_PROCESS, SCOPE_ALL, SCOPES };

struct cell {
    uint32_t site, birth;
    int64_t bytes, blocks;
    uint64_t allocated_bytes, allocations;
    struct saved {
        int64_t bytes, blocks;
        uint64_t epoch;
    } saved[SCOPES];
    int64_t written_bytes, written_blocks;
    uint64_t written_allocated_bytes, written_allocations;
    bool is_changed;
    uint8_t domain;
};

struct accounts {
    struct definitions definitions;
    struct cell *cells; /* [0] is none */
    uint32_t n_cells;
    size_t cells_capacity;
    struct account all;
    uint32_t birth; /* ordinal of the last boundary that began an interval */
};

void accounts_init(struct accounts *accounts);
void accounts_free(struct accounts *accounts);
void account_init(struct account *account);

/* The cell for what a site allocates now. */
uint32_t accounts_cell(struct accounts *accounts, uint32_t site);

/* A block of size bytes appears in, or goes from, a cell of that account's process. */
void accounts_add(struct accounts *accounts, struct account *account, uint32_t cell,
    uint64_t size, uint64_t time_us);
void accounts_remove(
    struct accounts *accounts, struct account *account, uint32_t cell, uint64_t size);
/* Both at once, as one event: a reallocation. */
void accounts_move(struct accounts *accounts, struct account *account, uint32_t old_cell,
    uint64_t old_size, uint32_t cell, uint64_t size, uint64_t time_us);
/* Part of a mapped range goes; the block stays. */
void accounts_shrink(
    struct accounts *accounts, struct account *account, uint32_t cell, uint64_t bytes);

/* Value of a cell at the peak of an account. */
struct saved accounts_at_peak(
    const struct cell *cell, const struct account *account, int scope);
/* Totals at the peak of an account. */
const struct totals *accounts_peak_totals(const struct account *account);

#endif
