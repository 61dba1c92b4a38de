/*
 * The memory limit that this process and the traced one live under.
 */
#ifndef COLLECT_CGROUP_H
#define COLLECT_CGROUP_H

#include <stdbool.h>
#include <stdint.h>

struct cgroup {
    uint64_t limit; /* bytes; 0: none */
    int usage;      /* descriptor of the file with the bytes in use, -1 without a limit */
};

/* Looks for the tightest limit among the control groups of this process (version 2, then 1). */
void cgroup_open(struct cgroup *cgroup);
/* True while more than 15/16 of the limit is in use. */
bool cgroup_is_tight(const struct cgroup *cgroup);

#endif
