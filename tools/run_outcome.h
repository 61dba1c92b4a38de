/*
 * What a run came to: for the trace, and for the user at the end.
 */
#ifndef RUN_OUTCOME_H
#define RUN_OUTCOME_H

#include <stdint.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "collect/session.h"

struct run_outcome {
    double seconds, user, system;
    uint64_t max_rss, max_pss;              /* of one process; of all at once, 0: it is not known */
    size_t n_ends;                          /* processes that `end` is the sum of */
    bool at_once;                           /* several ran at a time */
    uint64_t collector_rss, agent_rss;      /* largest; of the agent in one process */
    uint64_t end_rss;                       /* of the collector after the program's end */
    uint32_t programs_left;                 /* started where they cannot be traced */
    uint32_t ran_on;                        /* processes that were there after the program's end */
    uint32_t processes_off[MT_OFF_REASONS]; /* not traced to the end */
    struct totals peak, end;
    uint64_t bytes;
};

/* `usage` is what the kernel says of the program; before the collector is freed. */
struct run_outcome run_outcome_of(
    const struct collector *collector, const struct rusage *usage, double seconds);
/* What was seen, what was not, and where the trace is, a line each. */
void run_outcome_print(FILE *file, const struct run_outcome *outcome, const char *path);
/* The texts of META and END; the caller frees them. */
char *run_meta_json(char **argv, pid_t pid, unsigned interval_ms, uint64_t memory_limit);
char *run_end_json(const struct run_outcome *outcome, int status);

#endif
