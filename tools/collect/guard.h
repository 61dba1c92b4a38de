/*
 * A file of the session that is cut short while we have it mapped: only its own
 * programs can do that, and no program takes the collector with it.
 */
#ifndef COLLECT_GUARD_H
#define COLLECT_GUARD_H

/* From now on what is missing of a mapped file reads as zero: a ring whose head is at its start
   again, which counts as damage.  Not of the store, which nothing can be done without. */
void guard_begin(void);
/* SIGBUS as it was. */
void guard_end(void);

#endif
