/*
 * Rings that the collector lends to a process which can make no files of its own.
 * In the host, inside malloc.
 */
#ifndef AGENT_LOAN_H
#define AGENT_LOAN_H

#include <stdint.h>

#include "memtrace/ring.h"

/* Asks for the ring of that number and waits for it, two seconds at most; mapped as
   ringfile_make does.  NULL if there is none. */
struct mt_ring *loan_take(uint32_t number, uint64_t *bytes);

#endif
