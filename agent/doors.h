/*
 * What hooks of an allocator's other doors do around the real function
 * (hooks_doors.c).  In the host.
 */
#ifndef AGENT_DOORS_H
#define AGENT_DOORS_H

#include <stdbool.h>
#include <stddef.h>

#include "native.h"
#include "nested.h"

/* Around a call that gives a block. */
enum entry doors_begin(struct nested *outer, struct caller caller);
void *doors_end(
    void *block, size_t size, struct caller caller, enum entry entry, const struct nested *outer);
/* Before a call that takes one; what must be called after it. */
enum entry doors_begin_delete(struct nested *outer, const void *block, struct caller caller);
void doors_end_delete(enum entry entry, const struct nested *outer);
/* Around a call that moves one.  *known: it is in the accounts.  Without a block it was not moved.
 */
enum entry doors_begin_move(
    struct nested *outer, const void *block, bool *known, struct caller caller);
void doors_end_move(const void *old, bool known, const void *block, size_t size,
    struct caller caller, enum entry entry, const struct nested *outer);

#endif
