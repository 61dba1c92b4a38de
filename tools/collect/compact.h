/*
 * Rewrites a growing trace without the boundaries that were dropped: their
 * changes are added to the next ones.  The rewriting runs in a thread of its own
 * over what was in the file when it began; what was written since is appended
 * when it is done, and the new file takes the old one's place.
 */
#ifndef COLLECT_COMPACT_H
#define COLLECT_COMPACT_H

#include <stdbool.h>
#include <stdint.h>

#include "collect/boundaries.h"
#include "trace/writer.h"

struct compaction; /* one that is under way */

/* Begins; NULL if it cannot.  path is that of the writer's file. */
struct compaction *compact_begin(
    const struct writer *writer, const char *path, const struct boundaries *boundaries);
/* True once the thread is done; compact_end must follow. */
bool compact_is_done(const struct compaction *compaction);
/* Puts the new file in the place of the old one, and the writer on it.  On any failure the old
   one stays and the writer goes on with it.  Waits for the thread. */
void compact_end(struct compaction *compaction, struct writer *writer);

#endif
