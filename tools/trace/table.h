/*
 * A hash table from 64-bit keys to small numbers, for grouping.  Runs in views.
 * Zeroed is empty.  Ends the process when there is no memory.
 */
#ifndef TRACE_TABLE_H
#define TRACE_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct table {
    struct table_slot *slots;
    size_t capacity, used;
};

/* Makes room for as many keys in an empty table, so that it need not grow in steps. */
void table_reserve(struct table *table, size_t count);
/* The value of `key`, 0 if it is new: then the caller sets it to something else before the next
   call, which invalidates the pointer. */
uint32_t *table_at(struct table *table, uint64_t key);
/* The value of `key`, 0 if there is none. */
uint32_t table_get(const struct table *table, uint64_t key);
void table_free(struct table *table);

#endif
