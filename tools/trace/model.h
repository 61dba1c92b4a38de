/*
 * A trace in memory, as every report sees it: definitions, timelines and the
 * cells at each boundary.  trace_read builds it; views are made from it.
 *
 * All arrays of definitions have an entry 0 for "none", which their counts n_*
 * include: ids are 1 to n_* - 1.  Boundaries, sources and regions have no such entry.
 * Every id in a model was checked when it was read: users index without asking.
 */
#ifndef TRACE_MODEL_H
#define TRACE_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "memtrace/format.h"
#include "memtrace/ring.h"

struct trace_string {
    const char *data; /* any bytes; NUL-terminated as well */
    size_t size;
};
struct trace_function {
    uint32_t file, name, first_line;
};
struct trace_node {
    uint32_t parent, function, line;
    uint32_t native; /* of stacks_merge: the native frame that it is; 0: a Python frame */
};
struct trace_process {
    int pid;
    uint32_t parent;
    uint64_t start_us;
    int origin, traced;
    uint32_t path, command, python;
    bool ended;
    uint64_t end_us;
    int status; /* of waitpid, or enum mt_no_status */
    uint64_t unknown_frees, duplicate_allocations, inherited_frees, gap_events, gap_bytes, events,
        max_rss;
    bool was_paused; /* not all allocations were recorded */
    uint64_t paused_frees;
};
struct trace_thread {
    uint32_t process;
    int tid;
    uint32_t name;
    uint64_t start_us;
};
struct trace_module {
    uint32_t path, build_id;
    uint32_t allocator; /* string: the name of one inside of it, whose blocks are not traced; or 0 */
};
struct trace_native { /* where native code is returned to */
    bool is_anchor; /* no frame: Python frames lie between it and its parent, */
    uint32_t node;  /* which was called from this stack */
    uint32_t parent, module;
    uint64_t address;             /* as the module's file counts */
    uint32_t function;            /* 0: its name is not known */
    uint64_t offset;              /* in the function */
    uint32_t file, line;          /* 0: not known */
    bool is_inlined;    /* of stacks_merge: a function that was inlined at its parent's place */
    uint32_t innermost; /* of stacks_merge: of what was inlined there; 0: nothing was */
};
struct trace_inlined { /* a function at the place of a native; of one native the outermost first */
    uint32_t native, function, file, line;
};
struct trace_site {
    uint32_t process, thread;
    int domain;
    uint32_t node, native;
    uint32_t stack; /* the node; after stacks_merge the one that has the native frames as well */
};

struct trace_sample {
    uint64_t time_us, rss, python, native, mapped, arenas, high;
};
struct trace_share { /* of the RSS at a time the proportional and the unique part */
    uint64_t time_us, rss, pss, uss;
};
struct trace_timeline { /* of one process, in order of time */
    uint32_t process;
    struct trace_sample *samples;
    size_t count;
    struct trace_share *shares;
    size_t n_shares;
};

struct trace_row { /* one (site, birth) of a state; zero rows are left out */
    uint32_t site, birth;
    int64_t bytes, blocks, allocated_bytes, allocations;
};
struct trace_spread { /* of a row's bytes and allocated bytes: see weight.h */
    int64_t live, allocated;
};
struct trace_boundary {
    int kind;
    bool dropped;     /* not retained: its rows count, it is no moment */
    uint32_t process; /* 0: all */
    uint64_t time_us;
    uint32_t name;
    struct trace_row *rows; /* the changes, as in the file */
    struct trace_spread *spreads; /* of the rows; NULL: all blocks are there */
    size_t count;
};
struct trace_peak {
    bool present;
    uint64_t time_us, python, native, blocks;
    size_t after; /* number of boundaries before it */
    struct trace_row *rows;
    struct trace_spread *spreads; /* as in a boundary */
    size_t count;
};
struct trace_source {
    uint32_t file, line, text;
};
struct trace_untouched { /* bytes of a site's large blocks that had no page */
    uint32_t site;
    uint64_t bytes;
};
struct trace_look { /* at the pages of a process's large blocks; what was seen holds until the next
                     */
    uint32_t process;
    bool known; /* they could be looked at */
    uint64_t time_us;
    size_t first, count; /* of `untouched` */
};
struct trace_log { /* a chunk of the log: where in the file, and what is in it */
    uint64_t at, sequence;
    uint32_t process;
    size_t after; /* number of boundaries before it */
    size_t count, bytes;
    uint64_t first_us, last_us;
};
struct trace_sizes { /* of a process, by domain; a reallocation is an allocation */
    struct trace_counts {
        uint64_t temporary; /* freed before its thread allocated anything else */
        uint64_t *counts;   /* by the number of bits of the size */
        size_t n;           /* at most 65 */
    } domains[MT_DOMAINS];
};
struct trace_region { /* a stretch of time that the program named */
    uint32_t process, thread, name;
    uint64_t start_us, end_us;
    uint64_t live_before, live_after, peak; /* of the process, bytes */
};

struct trace {
    char *path;
    uint64_t sample_bytes; /* blocks are samples, one in so many bytes; 0: all are there */
    char *meta, *end; /* JSON texts, NULL if missing */
    bool sealed;      /* has its END chunk */
    bool damaged;     /* bytes after the last good chunk that are not a cut-off chunk */
    uint64_t good_bytes, file_bytes;
    struct trace_string *strings;
    struct trace_function *functions;
    struct trace_node *nodes;
    struct trace_process *processes;
    struct trace_thread *threads;
    struct trace_module *modules;
    struct trace_native *natives;
    struct trace_inlined *inlined;
    struct trace_site *sites;
    struct trace_timeline *timelines; /* one for each process, by its id */
    struct trace_boundary *boundaries;
    struct trace_peak *peaks;     /* by process id; 0 is the sum of all */
    struct trace_sizes **sizes;   /* by process id; NULL: not written (yet) */
    struct trace_look *looks;     /* in the order of the file: of each process by time */
    struct trace_untouched *untouched;
    struct trace_log *logs;       /* in the order of the file; none unless every event was kept */
    uint32_t *retained_before;    /* by boundary, and one more: the retained one of all processes */
    struct trace_source *sources; /* sorted by file, line */
    struct trace_region *regions; /* in the order of their ends */
    size_t n_strings, n_functions, n_nodes, n_processes, n_threads, n_modules, n_natives, n_inlined,
        n_sites, n_boundaries, n_sources, n_looks, n_untouched, n_logs, n_regions;
    size_t n_merged_strings, n_merged_functions, n_merged_nodes; /* those of stacks_merge */
    void *arena; /* owns the memory */
};

/* Why a trace cannot be read; trace_strerror gives the words for a message. */
enum trace_error {
    TRACE_OK = 0,
    TRACE_ERROR_OPEN = -1, /* errno says why */
    TRACE_ERROR_EMPTY = -2,
    TRACE_ERROR_FOREIGN = -3, /* not a trace of ours */
    TRACE_ERROR_NEWER = -4,
    TRACE_ERROR_DIRECTORY = -5,
    TRACE_ERROR_NOTHING = -6, /* ours, but cut before the first chunk */
    TRACE_ERROR_MEMORY = -7
};

/* Reads a file.  Damage after good chunks is no error: see `sealed` and `damaged`. */
enum trace_error trace_read(struct trace *trace, const char *path);
const char *trace_strerror(enum trace_error error);
void trace_free(struct trace *trace);

#endif
