/*
 * A session: shared memory, the program images in it and their accounts, from
 * the first ring to the sealed trace.  The heart of the collector.
 */
#ifndef COLLECT_SESSION_H
#define COLLECT_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "collect/accounts.h"
#include "collect/boundaries.h"
#include "collect/cgroup.h"
#include "collect/drain.h"
#include "collect/image.h"
#include "collect/index.h"
#include "collect/shared.h"
#include "trace/writer.h"

struct pending { /* records of a chunk that is yet to be written */
    struct buffer body;
    uint32_t count;
};

struct unsettled { /* the boundary that is being written; begun: until it has its ordinal */
    struct image *only;
    uint64_t sequence, time_us; /* number of its chunk */
    bool is_mark, is_begun;
};

struct touched {                /* what large blocks have no pages (touched.c) */
    struct touched_look *looks; /* not taken up yet */
    size_t n_looks, looks_capacity;
    uint64_t looked_us, due_us;
    bool looked_at;         /* since it was last taken up */
    struct pending records; /* not written yet */
};

#define RING_WHOLE 1024u

enum { SESSION_HAS_OUTPUT = 0x54554f };

struct collector {
    struct shared shared;
    struct accounts accounts;
    struct writer writer;
    struct ring **rings; /* by slot; NULL: not open yet, or closed */
    size_t rings_capacity;
    uint32_t n_slots;
    uint32_t n_numbers; /* of rings, up to which they were looked for */
    uint32_t *late; /* numbers below n_numbers whose rings are not ready yet, or never will be */
    size_t n_late, late_capacity;
    bool is_last_round; /* rings_bound */
    uint64_t fullest;   /* of RING_WHOLE parts, what the fullest ring held that rings_drain met */
    struct image **images; /* in the order of their first ring */
    size_t n_images, images_capacity;
    struct index image_index; /* their numbers */
    struct image **living;    /* those of them that are not over, or that children ask */
    size_t n_living, living_capacity;
    uint64_t start_ns; /* CLOCK_MONOTONIC when the session began */
    uint64_t now_us, sampled_us, flushed_us, ticked_us;
    unsigned interval_ms; /* between samples of RSS */
    struct boundaries boundaries;
    struct unsettled boundary;
    uint32_t peak_base;            /* ordinal that the written peak of all rests on, 0: none */
    uint64_t tick_cost_us;         /* time that the last boundary took */
    size_t rows_over;              /* of processes that have ended, not written yet */
    struct pending regions;        /* ended, not yet written */
    uint32_t n_regions;            /* ended so far */
    struct compaction *compaction; /* under way, or NULL */
    uint64_t compacted_bytes;      /* of the file after the last one */
    uint32_t compacted_dropped;    /* boundaries dropped before it began */
    uint64_t shares_due_us;        /* not before then is what processes share read again */
    struct touched touched;
    uint64_t max_pss;  /* of all at once, when it was known of each */
    bool were_several; /* then */
    bool at_once;      /* several ran at a time, known or not */
    uint64_t max_own;  /* bytes that the collector took itself (own.h) while programs ran */
    uint64_t last_own; /* and after that, when it read symbols */
    int main_pid;
    bool main_ended;
    int main_status;
    uint32_t n_unseen; /* processes that ran on when it had ended, and have no ring */
    struct cgroup cgroup;
    bool tight;           /* the memory limit is near: the file was brought up to date */
    bool keeps_events;    /* every event is written too */
    bool symbolize;       /* native functions get their names whatever it takes */
    bool untraced_python; /* an interpreter of a version that is not known was seen */
    uint32_t output; /* SESSION_HAS_OUTPUT: the file is open; a damaged store may have any value */
    char *path;      /* of the trace, absolute */
};

/* Makes the shared memory and the collector in it; 0 or an errno.  sample_bytes: blocks are
   samples, one in so many bytes, or 0.  Then session_output gives it the trace's file (open for
   writing, empty), which it takes over. */
int session_create(struct collector **collector, unsigned interval_ms, uint64_t sample_bytes);
void session_output(struct collector *collector, int fd, const char *path, const char *meta_json);
/* Takes over what a collector left that was killed: the directory of its session.  0 or an errno
   (as shared_adopt; ENOENT without a store). */
int session_resume(struct collector **collector, const char *directory);
/* A process that no agent is in: its RSS alone is recorded. */
void session_adopt(struct collector *collector, int pid, const char *path, const char *command);
/* One round: new rings, events, samples, the file.  Returns the number of words taken; that and
   `fullest` tell the caller how long it may sleep. */
uint64_t session_poll(struct collector *collector);
/* The main program has ended: takes what is left, writes the last boundary and closes the rings.
   The trace is complete but for what session_seal adds. */
void session_finish(struct collector *collector);
/* Writes the END chunk with this JSON and closes the file; 0 or the errno of a failed write. */
int session_seal(struct collector *collector, const char *end_json);
/* Drops it all, the shared memory too. */
void session_free(struct collector *collector);
/* Drops the session before anything ran. */
void session_abandon(struct collector *collector);

/* Microseconds since the session began. */
uint64_t session_clock(const struct collector *collector);

#endif
