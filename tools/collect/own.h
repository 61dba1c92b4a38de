/*
 * What the collector itself takes of memory.  Used at its end.
 */
#ifndef COLLECT_OWN_H
#define COLLECT_OWN_H

#include <stdint.h>

/* Bytes of this process, with shared memory, which rings are, but without pages of files, which the
   kernel takes back; 0 if it does not say.  */
uint64_t own_bytes(void);
/* What it was at most, up to now; too much where more pages of files were there than are now. */
uint64_t own_most(void);

#endif
