/*
 * A view of a trace: processes x moment x filter x grouping key x metric -> rows.
 * Every report renders one; none of them counts anything itself.
 */
#ifndef TRACE_VIEW_H
#define TRACE_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "trace/arena.h"
#include "trace/filter.h"
#include "trace/model.h"
#include "trace/moment.h"
#include "trace/state.h"

enum view_key {
    VIEW_CALLER,
    VIEW_LINENO,
    VIEW_FILENAME,
    VIEW_FUNCTION,
    VIEW_MODULE,
    VIEW_PACKAGE,
    VIEW_TRACEBACK,
    VIEW_DOMAIN,
    VIEW_THREAD,
    VIEW_PROCESS,
    VIEW_NATIVE_FRAME,
    VIEW_KEYS
};
enum view_sort { VIEW_SIZE, VIEW_COUNT, VIEW_CHURN_SIZE, VIEW_CHURN_COUNT, VIEW_SORTS };

extern const char *const view_key_names[VIEW_KEYS];
/* The name that a word stands for: `native` is short for native-frame; any other is itself. */
const char *view_key_name(const char *word);
extern const char *const view_sort_names[VIEW_SORTS];

enum { VIEW_SORTED = 5000 }; /* rows that are in order even if fewer will be shown */

struct view_options { /* zeroed is the default but for the moment */
    enum view_key key;
    enum view_sort sort;
    bool cumulative;      /* a site counts for each line on its stack; not for all keys */
    struct moment moment; /* the end of the interval, if it is one */
    struct moment from;
    bool interval; /* only what was allocated after `from` */
    struct filter filter;
    size_t limit;  /* of rows that will be shown: of the others `via` is not found out; 0: all */
    bool unsorted; /* rows are in no order and have no `via`: somebody else sorts them */
    bool unmerged; /* VIEW_TRACEBACK: stacks that read the same may be several rows, and one row has
                      all native callers: somebody else makes them one */
    char **mine;   /* patterns of what is the user's own */
    size_t n_mine;
};

struct view_amount { /* bytes and blocks; python and native are parts of size */
    int64_t size, count, python, native, allocated, allocations;
    int64_t spread, allocated_spread; /* how uncertain size and allocated are (weight.h) */
    int64_t untouched; /* part of size: of large blocks what had no page, as far as is known */
};

struct view_row {
    struct view_amount amount;
    uint32_t site;   /* the biggest contributor, by the metric */
    uint32_t node;   /* the frame or stack that the row is about, 0 for none */
    uint32_t via;    /* VIEW_CALLER: the stack of the allocating line that contributes most,
                        0 if that is the caller's own line */
    uint32_t number; /* in the order in which rows were made */
    uint32_t folded; /* VIEW_PROCESS: how many small processes are in this row, else 0 */
    int64_t inherited, inherited_blocks; /* VIEW_PROCESS: what it holds of its parent's */
    int64_t metric;                      /* what rows are sorted by */
    int64_t most;                        /* the metric of `site` */
};

/* Blocks that have no caller. */
enum view_rest { VIEW_IMPORTS, VIEW_NATIVE_CODE, VIEW_RESTS };

struct view {
    const struct trace *trace;
    const struct view_options *options;
    struct view_row
        *rows; /* the biggest first, up to the limit and VIEW_SORTED; none is all zero */
    size_t n_rows;
    uint32_t *row_of_site; /* 1 + the row that a site is in, 0 for none; not when cumulative */
    uint8_t *rest_of_site; /* see view_rest_of_site */
    struct view_amount rest[VIEW_RESTS]; /* what is in no row, of keys that are about places */
    struct view_amount total;            /* rows and rest; each block once */
    struct view_amount excluded;         /* live memory that a filter left out */
    struct view_amount whole;            /* live memory of the processes selected, unfiltered */
    int64_t mapped;                      /* their mappings, not in any of these */
    int64_t files;                       /* of these, what are files */
    struct view_amount inherited; /* what they hold of parents not selected, in none of these */
    bool *processes;              /* by id: selected */
    bool *sites;                  /* by id: let through, though they may hold nothing */
    size_t n_processes;           /* selected */
    struct state state;
    int64_t *untouched;      /* by site; NULL: nobody looked, or it is an interval */
    struct instant at, from; /* where the moments were found */
    enum moment_error error; /* why one of them was not */
    const struct trace_peak *peak;
    struct arena arena;
};

enum view_error {
    VIEW_OK = 0,
    VIEW_NO_PROCESS = -1, /* no process is selected */
    VIEW_NO_MOMENT = -2,  /* view->error says why */
    VIEW_NO_START = -3,   /* the same of `from` */
    VIEW_BACKWARDS = -4   /* the interval ends before it begins */
};

/* Makes a view; trace and options must outlive it.  view_free it in any case. */
enum view_error view_make(
    struct view *view, const struct trace *trace, const struct view_options *options);
void view_free(struct view *view);

/* The same without the rows: what views of another shape are made of (tree.h).  The key is not
   looked at. */
enum view_error view_open(
    struct view *view, const struct trace *trace, const struct view_options *options);

/* Makes rows of another key or in another order out of a view that has none, of the same moment
   and filter.  `first` must outlive it.  view_free it. */
void view_again(struct view *view, const struct view *first, const struct view_options *options);

/* What a site has at the moment; what of an amount counts, by the sort. */
struct view_amount view_amount_of_site(const struct view *view, size_t site);
int64_t view_metric(const struct view *view, const struct view_amount *amount);
void view_amount_add(struct view_amount *sum, const struct view_amount *more);
bool view_amount_is_zero(const struct view_amount *amount);
/* The order of two frames, or of the stacks that they are the innermost of. */
int view_compare_frames(const struct trace *trace, uint32_t a, uint32_t b);
int view_compare_stacks(const struct trace *trace, uint32_t a, uint32_t b);

/* The errors of an amount, 0 where the trace has all blocks (weight_error). */
int64_t view_size_error(const struct trace *trace, const struct view_amount *amount);
int64_t view_allocated_error(const struct trace *trace, const struct view_amount *amount);
/* True if it is about all that was ever allocated. */
bool view_sorts_churn(enum view_sort sort);
/* True if the key can be used with `cumulative`. */
bool view_key_has_frames(enum view_key key);
/* The rest that a site is in, -1 if it is in none. */
int view_rest_of_site(const struct view *view, uint32_t site);
/* Amounts of rows from `first` on, together. */
struct view_amount view_sum(const struct view *view, size_t first);
/* Text of a source line as recorded in the trace, NULL if it is not there. */
const char *view_source(const struct trace *trace, uint32_t file, uint32_t line);

#endif
