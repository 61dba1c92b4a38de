/*
 * Which boundaries of all processes are retained: recent ones dense, older ones
 * ever rarer, marks and what a peak rests on always.  Policy alone: it reads no
 * clock and writes nothing.  Used by the collector.
 */
#ifndef COLLECT_BOUNDARIES_H
#define COLLECT_BOUNDARIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BOUNDARIES_RETAINED 128u   /* not counting pinned ones */
#define BOUNDARIES_PINNED 64u      /* marks: the oldest beyond lose their pin */
#define BOUNDARIES_ROWS (1u << 20)    /* rows of all retained ones, about 8 MB of file */
#define BOUNDARIES_LEAST 8u           /* kept however many rows they have */

struct boundaries { /* zeroed is empty */
    struct boundary {
        uint32_t ordinal;
        uint32_t pins;
        uint64_t time_us, rows;
    } * retained; /* in order */
    size_t count, capacity;
    bool *single; /* by ordinal: of a single process, which stays */
    size_t single_capacity;
    uint32_t next_ordinal;
    uint32_t n_dropped;
};

/* A boundary of all processes was written; returns its ordinal. */
uint32_t boundaries_add(struct boundaries *boundaries, uint64_t time_us, uint64_t rows, bool pin);
/* One of a single process was written: it has an ordinal and stays. */
void boundaries_pass(struct boundaries *boundaries);
void boundaries_pin(struct boundaries *boundaries, uint32_t ordinal);
void boundaries_unpin(struct boundaries *boundaries, uint32_t ordinal);
/* Gives up a boundary if there are too many: its ordinal in *ordinal.  False if there are not. */
bool boundaries_thin(struct boundaries *boundaries, uint32_t *ordinal);
void boundaries_free(struct boundaries *boundaries);

#endif
