/*
 * The log of a trace that keeps every event: its encoding (docs/format.md).  Each
 * chunk stands for itself: an event that ends a block says all of it, or names the
 * event of the same chunk that began it.
 */
#ifndef TRACE_LOG_H
#define TRACE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "trace/cursor.h"
#include "trace/writer.h"

enum { LOG_EVENTS = 32768 }; /* of a chunk, at most */

/* The numbers are in traces: never change one. */
enum log_kind {
    LOG_ALLOC = 0,
    LOG_FREE = 1,
    LOG_MOVE_FROM = 2, /* the old block of a realloc; its MOVE_TO is the next event */
    LOG_MOVE_TO = 3,
    LOG_MAP = 4,
    LOG_UNMAP = 5, /* of a mapping the last piece goes */
    LOG_CUT = 6,   /* a piece of it goes */
    LOG_SPLIT = 7, /* a piece out of its middle: there are two then */
    LOG_OVER = 8,  /* the process is over, and holds nothing */
    LOG_KINDS
};

struct log_event {
    uint64_t time_us, address,
        size;              /* addresses are multiples of 8; that of a piece is not known */
    uint32_t site, thread; /* 0 of OVER; the thread that did it */
    uint32_t birth;        /* of a block that ends: the boundary after which it began */
    enum log_kind kind;
    bool is_local; /* it began in the same chunk */
};

/* Whether it ends a block, or a part of one; whether it begins one. */
static inline bool log_ends(enum log_kind kind)
{
    return kind == LOG_FREE || kind == LOG_MOVE_FROM || (kind >= LOG_UNMAP && kind <= LOG_SPLIT);
}

static inline bool log_begins(enum log_kind kind)
{
    return kind == LOG_ALLOC || kind == LOG_MOVE_TO || kind == LOG_MAP;
}

/* Appends the body of a chunk of at most LOG_EVENTS of a process. */
void log_put(struct buffer *body, uint32_t process, const struct log_event *events, size_t count);

struct log_head { /* of a chunk, before the events */
    uint32_t process;
    size_t count;
    uint64_t first_us, last_us; /* least and largest time */
};

void log_get_head(struct cursor *body, struct log_head *head);
/* Reads the events behind it into room for LOG_EVENTS.  body->bad if they are not as they should
   be; births and ids are not checked. */
void log_get(struct cursor *body, const struct log_head *head, struct log_event *events);

#endif
