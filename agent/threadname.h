/*
 * What the program calls its threads.  In the host.
 */
#ifndef AGENT_THREADNAME_H
#define AGENT_THREADNAME_H

#include "thread.h"

/* Writes what the calling thread is called, of which this ring is from now on. */
void threadname_begin(struct thread *thread);
/* The same if it is another name than what was last written. */
void threadname_tell(struct thread *thread);
void threadname_resolve(void);

#endif
