/*
 * Who holds how much: cells, totals and exact peaks.  Used by the collector for
 * every event.
 *
 * A cell is what one site allocated during one interval (its birth: the ordinal
 * of the boundary that began it) and still holds.  When a boundary is dropped,
 * the cells of the interval that it began are merged into those of the interval
 * before; blocks keep the number of the cell that they were born in.  A peak keeps the state of all
 * cells at the instant of the largest sum: while the sum rises nothing has to be kept; at the first
 * change after it each cell is saved before it is changed.  All sizes are bytes as the program
 * asked for them.
 */
#ifndef COLLECT_ACCOUNTS_H
#define COLLECT_ACCOUNTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collect/definitions.h"
#include "trace/weight.h"

struct totals {
    uint64_t python, native; /* live: raw, mem, obj; the malloc family */
    uint64_t mapped, arenas; /* kept apart */
    uint64_t inherited;      /* the parent's blocks that a forked process holds: counted there */
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
    uint64_t high;     /* largest python + native since the last sample */
    uint32_t *changed; /* cells that changed since they were last written; processes only */
    size_t n_changed, changed_capacity;
    bool is_over; /* its process has ended and its peak is written: it keeps no cell for that */
};

enum { SCOPE_PROCESS, SCOPE_ALL, SCOPES };

struct saved {
    int64_t bytes, blocks;
};

struct cell {      /* two cache lines: what every event needs, and the rest */
    uint32_t site; /* 0: not in use */
    uint32_t birth : 28, domain : 3, is_changed : 1;
    uint32_t merged_into; /* 0: stands for itself */
    uint32_t refs;        /* blocks and ranges in the maps that name this cell */
    int64_t bytes, blocks;
    uint64_t allocated_bytes, allocations;
    uint64_t epochs[SCOPES]; /* when it was saved */

    uint32_t newer, older; /* cells of the same site, by birth */
    int64_t saved_bytes[SCOPES];
    int32_t saved_blocks[SCOPES];
    int64_t written_bytes;
    uint64_t written_allocated_bytes, written_allocations;
    int32_t written_blocks;
    uint32_t site_id; /* the trace's */
};

struct tally {               /* tally.h */
    struct account *account; /* whose events these are; NULL: it is not under way */
    struct amounts {
        uint64_t python, native, blocks;
    } own, all; /* as they were when it was begun */
    uint64_t time_us;
    uint64_t live[8];          /* by domain, what has been added since, modulo 2^64 */
    uint64_t blocks;           /* likewise */
    uint64_t began, sum, high; /* the process's python + native: then, now, at most */
    uint64_t ceiling;          /* how much it may be without being a peak of either sum */
    uint64_t elsewhere;        /* what the sum of all has beside it */
    uint64_t epochs[SCOPES];   /* of cells that are kept; none where the sum is at its peak */
    bool is_rising;            /* both sums are at their peaks */
    bool is_calm;              /* neither is */
};

struct accounts {
    struct definitions definitions;
    struct cell *cells; /* [0] is none */
    uint32_t n_cells;
    size_t cells_capacity;
    struct account all;
    uint32_t birth; /* ordinal of the last boundary that began an interval */
    struct interval {
        uint32_t birth;
        uint32_t *cells; /* born in it; those that have gone since may still be listed */
        size_t n_cells, capacity;
    } * intervals; /* in order; the last one is now */
    size_t n_intervals, intervals_capacity;
    uint32_t *unused; /* cells that can be used again */
    size_t n_unused, unused_capacity;
    struct account **processes; /* by process id */
    size_t processes_capacity;
    uint64_t sample_bytes;  /* blocks are samples, one in so many bytes; 0: all are there */
    struct spread *spreads; /* by cell, if they are samples (spreads.h) */
    size_t spreads_capacity;
    uint64_t random; /* that samples are rounded with */
    struct tally tally;
};

void accounts_init(struct accounts *accounts);
void accounts_free(struct accounts *accounts);
void account_init(struct account *account);

/* The cell for what a site allocates now. */
uint32_t accounts_cell(struct accounts *accounts, uint32_t site);

/* Whether this is a cell of that site, and what it allocates now still counts there. */
static inline bool accounts_is_now(const struct accounts *accounts, uint32_t cell, uint32_t site)
{
    const struct cell *known = &accounts->cells[cell];
    return known->site == site && known->birth == accounts->birth && !known->merged_into;
}

/* Before a change of a cell that makes no new peak: what the peak had of it is saved. */
void accounts_keep_peak(struct account *account, struct cell *cell, int scope);
/* A cell of that account's process changes: it has to be written. */
void accounts_note_change(struct account *account, struct cell *cell, uint32_t id);
/* A block of size bytes appears in, or goes from, a cell of that account's process. */
void accounts_add(struct accounts *accounts, struct account *account, uint32_t cell, uint64_t size,
    uint64_t time_us);
void accounts_remove(
    struct accounts *accounts, struct account *account, uint32_t cell, uint64_t size);
/* Both at once, as one event: a reallocation. */
void accounts_move(struct accounts *accounts, struct account *account, uint32_t old_cell,
    uint64_t old_size, uint32_t cell, uint64_t size, uint64_t time_us);
/* The same of samples, with what they count for: now, and in what was ever allocated. */
void accounts_add_weight(struct accounts *accounts, struct account *account, uint32_t cell,
    const struct weight *live, const struct weight *ever, uint64_t time_us);
void accounts_move_weight(struct accounts *accounts, struct account *account, uint32_t old_cell,
    const struct weight *gone, uint32_t cell, const struct weight *live, const struct weight *ever,
    uint64_t time_us);
/* The cell that stands for this one, which may have been merged. */
uint32_t accounts_standing(const struct accounts *accounts, uint32_t cell);
/* Bytes of a mapped range go, and with them so many ranges: 1, 0, or -1 where one was split. */
void accounts_cut(
    struct accounts *accounts, struct account *account, uint32_t cell, uint64_t bytes, int ranges);
/* Blocks that count elsewhere: a cell of them changes by so much, and is told whether what it was
   ever given does.  The cell has a name (accounts_name) until accounts_let_go. */
void accounts_name(struct accounts *accounts, uint32_t cell);
void accounts_hold(struct accounts *accounts, struct account *account, uint32_t cell, int64_t bytes,
    int64_t blocks, bool given);
void accounts_let_go(struct accounts *accounts, struct account *account, uint32_t cell,
    int64_t bytes, int64_t blocks);
/* Tells which account belongs to a process. */
void accounts_process(struct accounts *accounts, uint32_t process, struct account *account);

/* An interval begins: the birth of what is allocated from now on. */
void accounts_begin(struct accounts *accounts, uint32_t birth);
/* The boundary that began the interval `birth` is dropped: it becomes part of the one before. */
void accounts_join(struct accounts *accounts, uint32_t birth);
/* Gives a cell back if nothing refers to it any more and all of it is written. */
void accounts_tidy(struct accounts *accounts, uint32_t cell);

/* Value of a cell at the peak of an account. */
struct saved accounts_at_peak(const struct cell *cell, const struct account *account, int scope);
/* Totals at the peak of an account. */
const struct totals *accounts_peak_totals(const struct account *account);

#endif
