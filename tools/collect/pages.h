/*
 * Which pages of a process there are.  Used by the collector.
 */
#ifndef COLLECT_PAGES_H
#define COLLECT_PAGES_H

#include <stdbool.h>
#include <stdint.h>

/* Of [start, start + size) the bytes that have no page, in memory or swapped out, in the process
   that this descriptor of a /proc/PID/pagemap is of.  False if that cannot be read: the process has
   ended or become another program since it was opened. */
bool pages_untouched(int pagemap, uint64_t start, uint64_t size, uint64_t *untouched);
/* The same for kernels that tell of each page alone (before 6.7), which takes longer. */
bool pages_untouched_by_entry(int pagemap, uint64_t start, uint64_t size, uint64_t *untouched);

#endif
