/*
 * The files of rings.  In the host, inside malloc.
 */
#ifndef AGENT_RINGFILE_H
#define AGENT_RINGFILE_H

#include <stdint.h>

#include "memtrace/ring.h"

/* Makes that of a slot and maps it, the data twice, one copy behind the other, so that no record
   has to be split at the end.  The size is what there is room for.  Where no file can be made the
   collector lends a ring.  NULL if there is no room for MT_RING_LEAST. */
struct mt_ring *ringfile_make(uint32_t number, uint64_t *bytes);
void ringfile_unmap(struct mt_ring *ring, uint64_t bytes);

#endif
