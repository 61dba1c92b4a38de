/*
 * What forked processes inherit: which blocks of its parent a process was born
 * with, and which of them it still holds.  In the collector.
 *
 * Nothing is copied at a fork.  Forks of an image are numbered, and each block
 * has a stamp: after which fork it was allocated.  A parent's block that was
 * there at a fork whose child still matters, and then goes, is noted.  A child
 * that frees what it did not allocate asks the parent: the notes, then the
 * parent's own live blocks, then what the parent itself inherited.
 *
 * A ring's events come after the last fork that the ring has told of, which may
 * be ahead of, or behind, the record of the fork in the ring of its own thread.
 */
#ifndef COLLECT_FORKS_H
#define COLLECT_FORKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collect/accounts.h"
#include "collect/heapmap.h"
#include "collect/index.h"

struct image;

struct fork_point {
    uint32_t number;
    struct image *child;   /* NULL: not seen yet */
    int64_t bytes, blocks; /* live at the fork, and inherited */
};

struct forks {                 /* zeroed: never forked, not forked */
    struct fork_point *points; /* whose children matter, in the order of their numbers */
    size_t n_points, points_capacity;
    uint32_t seen; /* the last fork that its own thread has told of */
    uint32_t base; /* stamps count from this fork */
    struct ahead { /* what happened after forks that are not seen yet */
        uint32_t after;
        int64_t bytes, blocks;
    } * ahead;
    size_t n_ahead, ahead_capacity;
    struct gone { /* a block that was there from after fork `from` until after fork `to` */
        uint64_t address, size;
        uint32_t from, to;
        bool inherited; /* it was the parent's */
    } * gone;           /* [0] is none */
    size_t n_gone, n_own, gone_capacity, tidy_at;
    struct index index;   /* of gone, by address */
    struct image *parent; /* whose blocks it inherited, while they are known */
    uint32_t number;      /* by which fork of the parent */
    uint32_t cell;        /* of what it holds of them */
    int64_t bytes, blocks;
};

/* What is allocated after that fork is stamped with this. */
static inline uint16_t forks_stamp(const struct forks *forks, uint32_t after)
{
    uint32_t stamp = after > forks->base ? after - forks->base : 0;
    return stamp < UINT16_MAX ? (uint16_t)stamp : UINT16_MAX;
}

/* Does a block that goes after that fork matter? */
static inline bool forks_care(const struct forks *forks, uint32_t after)
{
    return forks->n_points != 0 || after > forks->seen;
}

/* The record of a fork.  All stamps in the map may have been lowered by *aged: those of blocks that
   are being moved have to be, too. */
void forks_begin(struct image *image, uint32_t number, uint32_t *aged);
/* Live memory has changed by an event after that fork, which is not forks.seen. */
void forks_note(
    struct accounts *accounts, struct image *image, uint32_t after, int64_t bytes, int64_t blocks);
/* A block goes after that fork, and forks_care. */
void forks_gone(struct image *image, const struct block *block, uint32_t after);
/* The child of a fork begins: it holds what its parent did; nothing if that is not known. */
void forks_inherit(
    struct accounts *accounts, struct image *child, struct image *parent, uint32_t number);
/* The child frees a block that it did not allocate; false if it did not inherit it either. */
bool forks_release(
    struct accounts *accounts, struct image *child, uint64_t address, uint32_t after);
/* The process is over: it holds nothing of its parent's. */
void forks_let_go(struct accounts *accounts, struct image *image);
/* A finished image gives up what it still knew for its children, if none of them needs it, and so
   do its parents.  With `all`, also for children that were never seen. */
void forks_leave(struct image *image, bool all);

/* At the end of all: nothing is known any more, of the image's live blocks neither. */
void forks_free(struct image *image);

#endif
