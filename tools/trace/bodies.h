/*
 * The bodies of chunks: what trace_read puts into the model, kind by kind.
 */
#ifndef TRACE_BODIES_H
#define TRACE_BODIES_H

#include <stdbool.h>

#include "trace/cursor.h"
#include "trace/model.h"
#include "trace/rows.h"

struct reader {
    struct trace *trace;
    bool no_memory;
    uint64_t room; /* bytes that the model may still take; a trace that wants more is damaged */
    uint64_t at, sequence; /* of the chunk in the file */
    size_t chunk;          /* its bytes there */
    bool no_room;          /* once set, the trace is of no use */
    struct row *encoded;   /* room for rows, used again and again */
    size_t n_encoded;
    uint64_t amounts[ROWS_VALUES]; /* of all rows so far, without signs: no sum of some is larger */
};

/* Puts the entries for "none" into an empty trace. */
void bodies_begin(struct reader *reader);
/* Takes one chunk in; false if it is damaged.  What was good of it then may be there, but nothing
   refers to it.  A kind that is not known is good, unread. */
bool bodies_parse(struct reader *reader, int kind, struct cursor *body);
/* After the last chunk: what was born after a boundary that was dropped since was born after the
   retained one before it. */
void bodies_settle(struct reader *reader);
/* Gives back what only reading needs. */
void bodies_end(struct reader *reader);

#endif
