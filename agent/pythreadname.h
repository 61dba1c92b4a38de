/*
 * What threading.Thread objects are called, before 3.14 told the system.  In the
 * host, inside malloc.
 */
#ifndef AGENT_PYTHREADNAME_H
#define AGENT_PYTHREADNAME_H

#include "thread.h"

/* Once the stack of this thread is known, while it holds the GIL: writes the name of the Thread
   object that runs at its bottom.  Does nothing where anything looks as it should not. */
void pythreadname_tell(struct thread *thread);

#endif
