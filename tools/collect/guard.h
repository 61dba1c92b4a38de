/*
 * A file of the session that is cut short while we have it mapped: only its own
 * programs can do that, and no program takes the collector with it.
 */
#ifndef COLLECT_GUARD_H
#define COLLECT_GUARD_H

/* From now on what is missing of a mapped file reads as zero: a ring whose head is at its start
   again, which counts as damage.  Where the store is missing, which nothing can be done without,
   the collector ends with status 125 and a line on stderr; after another fault with a line too. */
void guard_begin(void);
/* Signals as they were. */
void guard_end(void);

#endif
