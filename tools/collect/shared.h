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
    char spare[MT_SPARE_MAX]; /* a directory for rings alone, or empty */
    uint32_t loans_seen; /* questions for a loan that were looked at */
    /* Once it is closed: whether an agent had found it, and what the control block has. */
    bool was_joined;
    uint32_t programs_left, processes_off[MT_OFF_REASONS];
};

/* Makes the directory (in /dev/shm, else in the temporary directory) and the control file; where
   /dev/shm is small, the spare directory in the other; 0 or an errno, and then nothing is left behind.
   sample_bytes: see struct mt_control. */
int shared_create(struct shared *shared, uint64_t sample_bytes);
/* Where the collector's own memory lies (memory.h): a file of the session, made anew or opened;
   -1 and errno. */
int shared_store(const struct shared *shared, bool create);
/* Takes over the session of a collector that is dead, in this directory.  0 or an errno: EBUSY
   if it lives, EPROTO if it is of another version or no session, ENOENT if nothing was in it and it
   has been removed. */
int shared_adopt(struct shared *shared, const char *directory);
/* The control file of a session whose collector lives, to be unmapped; NULL if it is none. */
struct mt_control *shared_map_living(const char *directory);
void shared_unmap_control(struct mt_control *control);
/* Calls `each` for every directory that may be a session of this user's. */
void shared_each(void (*each)(void *context, const char *directory), void *context);
/* Tells agents that wait that something is being done (struct mt_control, work). */
void shared_work(const struct shared *shared);
/* Maps a ring whose slot is ready, and says how many bytes of data it has; NULL if it cannot
   be. */
struct mt_ring *shared_map_ring(const struct shared *shared, uint32_t number, uint64_t *bytes);
void shared_unmap_ring(struct mt_ring *ring, uint64_t bytes);
/* Of a file, from a place in it on: the data twice, as the agent has it, so that no record is
   split. */
struct mt_ring *shared_map_twice(int fd, uint64_t at, uint64_t bytes);
/* -1 and errno. */
int shared_open_control(const struct shared *shared);
/* Removes a ring's file; processes that have it mapped keep it. */
void shared_remove_ring(const struct shared *shared, uint32_t number);
/* Tells agents that nobody reads any more, and removes everything but the store. */
void shared_close(struct shared *shared);
/* After the store was closed: removes it and the directory. */
void shared_remove(const struct shared *shared);

#endif
