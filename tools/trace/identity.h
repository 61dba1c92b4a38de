/*
 * What a row of a view is, in words that are the same in another trace: of
 * another run, in another directory, after an edit.
 */
#ifndef TRACE_IDENTITY_H
#define TRACE_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>

#include "trace/view.h"

struct identities;

/* Of the rows of a view.  `moved`: a line is told by its function and text, not by its number. */
struct identities *identities_new(const struct view *view, bool moved);
void identities_free(struct identities *identities);
/* Bytes, valid until the next call. */
const char *identity_of_row(
    struct identities *identities, const struct view_row *row, size_t *size);

#endif
