/*
 * The consumer's end of the rings: takes events out, in an order that could
 * have happened, and accounts for them.
 */
#ifndef COLLECT_DRAIN_H
#define COLLECT_DRAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collect/accounts.h"
#include "collect/image.h"
#include "collect/pylines.h"
#include "memtrace/ring.h"

#define PENDING_MOVES 8

struct ring_code {
    uint32_t function;
    struct pylines lines;
};

struct ring_module {
    uint32_t module; /* the trace's, 0: not defined */
    uint64_t base;   /* what its addresses are displaced by */
};

struct ring {
    struct mt_ring *shared;
    uint32_t number, slot; /* slot: of the collector's table of rings */
    uint64_t *words;
    uint64_t mask, tail;
    uint64_t bound; /* if is_bounded: what is published behind it does not count */
    bool is_bounded;
    bool again; /* the collector was killed while it took the next event: it may have done so */
    struct image *image;
    struct ring *next; /* of the same image */
    int tid;
    uint32_t thread;     /* id in the trace */
    uint32_t called;     /* what the kernel calls the thread, a string */
    uint64_t asked_tail; /* where it stood when the kernel was asked that */
    uint64_t time_us;
    uint64_t now_us;    /* of the collector: no event is of a later time */
    uint32_t forks;     /* of its process, that its events come after */
    uint64_t size_high; /* from SIZE, for the next event */
    struct buffer text; /* scratch, from BYTES */
    uint32_t own;       /* between OWN 1 and OWN 0 the trace's node of "<memtrace>", else 0 */
    uint32_t *nodes;    /* by the ring's node: the trace's */
    uint32_t *natives;  /* the same of native callers, 0 for none */
    struct ring_site {
        uint32_t site, cell; /* the trace's, 0: not asked yet; the cell that was its latest */
    } * sites;               /* by the ring's node * 4 + domain */
    size_t nodes_capacity, natives_capacity, sites_capacity;
    struct ring_module *modules;
    size_t modules_capacity;
    struct ring_code *codes;
    size_t codes_capacity;
    struct block moves[PENDING_MOVES]; /* begun and not ended, the last one innermost; size is
                                          that of an unknown block if cell is 0 */
    uint32_t n_moves;
    uint64_t last_address;          /* of the block that was allocated last; 0: it is freed */
    uint64_t gap_events, gap_bytes; /* that GAP records told of */
    struct rangemap moving;         /* maps of which mremap has yet to say what becomes of them */
    uint32_t moving_domain;
};

/* A word of the first event, or `ahead` of it. */
static inline uint64_t ring_word(const struct ring *ring, uint64_t ahead)
{
    return ring->words[(ring->tail + ahead) & ring->mask];
}

struct collector; /* session.h */

/* Called for what the drain itself does not handle. */
struct drain_events {
    void (*process)(struct collector *collector, struct ring *ring, uint64_t w0, uint64_t w1);
    uint32_t (*thread)(struct collector *collector, struct ring *ring, int tid);
    void (*thread_name)(
        struct collector *collector, struct ring *ring, uint32_t name, enum mt_name kind);
    /* The interpreter came after the process record. */
    void (*python)(struct collector *collector, struct ring *ring, int traced, uint32_t version);
    void (*end)(struct collector *collector, struct ring *ring);
    /* Has that ring been read up to that position? */
    bool (*reached)(struct collector *collector, uint32_t number, uint64_t position);
    /* Has any ring of the image lost events? */
    bool (*has_gap)(struct collector *collector, const struct image *image);
    /* What the program said; names are strings of the trace, questions 0 where none is asked. */
    void (*mark)(struct collector *collector, struct ring *ring, uint32_t name);
    void (*region_begin)(
        struct collector *collector, struct ring *ring, uint32_t number, uint32_t name);
    void (*region_end)(
        struct collector *collector, struct ring *ring, uint32_t number, uint32_t question);
    void (*pause)(struct collector *collector, struct ring *ring, uint32_t question);
    void (*ask)(struct collector *collector, struct ring *ring, uint32_t question);
    /* The thread of the ring forks; which fork of the image it is. */
    void (*fork)(struct collector *collector, struct ring *ring, uint32_t number);
    /* A block that the image did not allocate; false if it did not inherit it either. */
    bool (*release)(struct collector *collector, struct ring *ring, uint64_t address);
};

/* Takes events until the ring is empty, an event must wait for another ring, or about `limit`
   words were taken.  Returns the number of words. */
uint64_t drain_ring(struct collector *collector, struct accounts *accounts, struct ring *ring,
    const struct drain_events *events, uint64_t limit);
/* When the process of a ring is dead and nothing moves: how many numbers are missing before its
   first event, UINT64_MAX if it has none. */
uint64_t drain_hole(const struct ring *ring);
/* True if its first event comes after what another ring has; which one. */
bool drain_waits_for_ring(const struct ring *ring, uint32_t *number);
/* What is missing never happened: lets that event go.  Of several rings the one with the smallest
   hole comes first, or the others' numbers would be passed over. */
void drain_skip_hole(struct ring *ring);
/* A process died: moves that were begun did not happen, unless their old addresses were given
   away: those came as far as that, and the blocks' new places are not known. */
void drain_cancel_moves(struct accounts *accounts, struct ring *ring);
/* The process is dead: counts the events that it lost at the last, which no record tells of. */
void drain_last_gap(struct ring *ring);
void drain_free(struct ring *ring);

#endif
