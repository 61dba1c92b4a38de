/*
 * Moments: what --at, --from and --to take, and where they are in a trace.  A
 * moment is a retained boundary, the peak, or each process's own end; what was
 * asked for by time is the retained boundary nearest to it or, in a trace that has
 * every event, that very time.
 */
#ifndef TRACE_MOMENT_H
#define TRACE_MOMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "trace/model.h"

enum moment_kind {
    MOMENT_START,
    MOMENT_PEAK,
    MOMENT_END,
    MOMENT_NOW,
    MOMENT_MARK,
    MOMENT_SECONDS,
    MOMENT_CLOCK
};

struct moment {
    enum moment_kind kind;
    const char *name; /* as it was given */
    double seconds; /* SECONDS: from the start, or before the end; CLOCK: since 1970 or of a day */
    bool from_end, of_day;
    bool retained; /* a retained boundary, even if every event was kept */
};

/* Reads what --at was given, which must outlive it; false if it is no moment. */
bool moment_parse(struct moment *moment, const char *text);
/* The moments that there are, for messages. */
const char *moment_choices(void);

/* A moment that was found. */
struct instant {
    enum moment_kind kind; /* PEAK and END as they are; START: nothing yet; NOW: a boundary */
    size_t limit;          /* START, NOW: the boundaries up to it */
    uint64_t time_us;      /* of PEAK and END: 0, the state has it */
    uint64_t wanted_us;
    bool from_log;        /* NOW: and then the events up to time_us (logs.h) */
    bool nearest;         /* what was asked for is not retained: time_us is not wanted_us */
    unsigned mark, marks; /* of the marks of that name: which, of how many; from 1 */
};

enum moment_error {
    MOMENT_OK = 0,
    MOMENT_NO_MARK = -1,     /* none of that name */
    MOMENT_FEW_MARKS = -2,   /* not that many of that name */
    MOMENT_NO_CLOCK = -3,    /* the trace does not say when it began */
    MOMENT_NO_BOUNDARY = -4, /* nothing was retained yet */
    MOMENT_NO_PEAK = -5,     /* the trace was cut off before its first peak */
    MOMENT_NO_LOG = -6       /* the events cannot be read (again) */
};

/* Finds a moment of the processes selected (by id). */
enum moment_error moment_find(struct instant *instant, const struct trace *trace,
    const struct moment *moment, const bool *selected);
/* The same for where an interval begins: a boundary of all processes, since births are, or a time
   that the log knows. */
enum moment_error moment_find_start(struct instant *instant, const struct trace *trace,
    const struct moment *moment, const bool *selected);

/* How many boundaries lead to a process's own end: to its last END, else its last LAST, else all
   that there are. */
size_t moment_end_of(const struct trace *trace, uint32_t process);
/* The same of all processes, by id. */
void moment_ends(const struct trace *trace, size_t *ends);
/* The peak of the processes selected: of one, its own; else that of the sum.  May not be there. */
const struct trace_peak *moment_peak(const struct trace *trace, const bool *selected);

#endif
