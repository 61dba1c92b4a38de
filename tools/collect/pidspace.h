/*
 * Process ids of other PID namespaces, as sandboxes and `unshare --pid` make them.
 */
#ifndef COLLECT_PIDSPACE_H
#define COLLECT_PIDSPACE_H

#include <stdint.h>

#define PIDSPACE_UNKNOWN 4194304 /* the kernel gives out less */

/* The one that this process is in; 0 if it cannot be told. */
uint64_t pidspace_own(void);
/* What we know a process by that is `pid` in that namespace; 0 if there is none any more. */
int pidspace_find(uint64_t space, int pid);
/* Its parent's; 0 if it cannot be told. */
int pidspace_parent(int pid);

#endif
