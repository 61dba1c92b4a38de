/*
 * `memtrace run` while the program runs: passes signals on, drains, waits, and
 * learns how it ended.
 */
#ifndef COLLECT_SUPERVISE_H
#define COLLECT_SUPERVISE_H

#include <sys/resource.h>

#include "collect/session.h"

/* What kills a program that writes where it cannot is an error of write to us; before anything is
   written. */
void supervise_ignore(void);
/* In the child, before its exec: signals as they were. */
void supervise_restore(void);
/* Takes over the signals that are passed on; before the program is forked. */
int supervise_prepare(void);
/* Until the main program has ended.  `usage` is what the kernel says of it. */
void supervise(struct collector *collector, int signals, struct rusage *usage);
/* Ends this process as the program ended: the same status, the same signal. */
int supervise_exit(int status);

#endif
