/*
 * The trace's file: its name, and making it without harming what is there.
 */
#ifndef COLLECT_PLACE_H
#define COLLECT_PLACE_H

#include <stdbool.h>
#include <sys/types.h>

/* Opens the file for a trace, 0600, replacing an older trace.  `pattern` is what -o says (with
   %n %p %h %t and %%), or NULL: memtrace-NAME.PID.mtrace in the directory MEMTRACE_DIR, else here
   or, where that cannot be written, in the temporary directory.  The descriptor, and *path (to be freed); -1 after a message. */
int place_open(const char *pattern, const char *name, pid_t pid, char **path);
/* Lets a group read the file; false after a message. */
bool place_share(int fd, gid_t group, const char *path);

#endif
