/*
 * What a row of a view is, in words that are the same in another trace: of
 * another run, in another directory, after an edit.
 */
#ifndef TRACE_IDENTITY_H
#define TRACE_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>

#include "trace/view.h"
#include "trace/words.h"

struct identities;

/* What several views have in common: numbers for their frames and stacks.  Zeroed is empty. */
struct identity_stacks {
    struct words functions, texts, natives; /* what their frames are made of */
    struct table lines; /* the number of a frame of Python, from 1, by function and line or text */
    uint32_t n_lines;
    struct table stacks; /* the number of a stack, from 1, by that of its callers and its frame */
    uint32_t count;
    const struct trace *trace; /* that of the last view: two moments of one are often compared */
    uint32_t *known;           /* by node of it: the number of its stack, 0 if nobody asked */
};
void identity_stacks_free(struct identity_stacks *stacks);

/* Of the rows of a view.  `moved`: a line is told by its function and text, not by its number.
   `stacks`: those of all views whose rows are compared; it has to outlive this. */
struct identities *identities_new(
    const struct view *view, bool moved, struct identity_stacks *stacks);
void identities_free(struct identities *identities);
/* VIEW_TRACEBACK: the number of the row's stack in identity_stacks, from 1, in place of words; 0 of
   any other row. */
uint32_t identity_of_stack(struct identities *identities, const struct view_row *row);
/* Bytes, valid until the next call. */
const char *identity_of_row(
    struct identities *identities, const struct view_row *row, size_t *size);

#endif
