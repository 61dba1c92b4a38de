/*
 * What `memtrace run` was asked to do: its options, of the command line and of
 * MEMTRACE_OPTIONS before it.
 */
#ifndef RUN_OPTIONS_H
#define RUN_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define RUN_FAILURE 125 /* exit status: nothing was run */
#define RUN_NO_GROUP ((gid_t)-1)

struct run_options {
    const char *output, *python, *module, *code;
    unsigned interval_ms, repeat;
    uint64_t sample_bytes; /* 0: every block is recorded */
    bool full;             /* every event is kept */
    gid_t group;           /* may read the trace; RUN_NO_GROUP: nobody else */
    const char *summary;   /* file for the last lines; NULL: only on stderr */
    bool quiet, best_effort, probe, off, no_children, symbolize, native;
    bool from_environment; /* while these are read: no program */
    char **rest;           /* the program, or the arguments of -m and -c */
    int n_rest;
};

/* Ends the process where they are wrong.  What is not given stays as it is. */
void run_options_parse(struct run_options *run, int argc, char **argv);

#endif
