/*
 * The session's shared memory, from the collector's side: its directory, the
 * control file, and the rings that agents make (include/memtrace/ring.h).
 */
#ifndef COLLECT_SHARED_H
#define COLLECT_SHARED_H

#include <stdbool.h>
#include <stdint.h>

#include "memtrace/ring.h"

#define SHARED_PATH_MAX 512

struct shared {
    char directory[SHARED_PATH_MAX]; /* 0700 */
    struct mt_control *control;
    uint64_t ring_bytes;
};

/* Makes the directory (in /dev/shm, else in the temporary directory) and the control file;
   0 or an errno, and then nothing is left behind. */
int shared_create(struct shared *shared);
/* Maps the ring of a slot that is ready; NULL if it cannot be. */
struct mt_ring *shared_map_ring(const struct shared *shared, uint32_t slot);
void shared_unmap_ring(const struct shared *shared, struct mt_ring *ring);
/* Removes a ring's file; processes that have it mapped keep it. */
void shared_remove_ring(const struct shared *shared, uint32_t slot);
/* Tells agents that nobody reads any more, and removes everything. */
void shared_close(struct shared *shared);

#endif
