/*
 * Names for code that was made at run time, of what its maker wrote for perf: the file
 * /tmp/perf-PID.map, with a line "START SIZE NAME" for each function.
 */
#ifndef COLLECT_PERFMAPS_H
#define COLLECT_PERFMAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define PERFMAPS_DIRECTORY "/tmp"

/* A return address, and what is found of it. */
struct perfmap_name {
    uint64_t address;
    uint32_t id; /* the caller's */
    char *function;
    uint64_t offset;
    bool is_unsure; /* several functions have been there */
};

/* Looks up addresses in ascending order in the map of the process, if there is one of this user's
   in the directory that is not older than `since`.  Of what is not certain, and of all after so
   many milliseconds, the function is NULL; the caller frees the others. */
void perfmaps_find(const char *directory, int pid, time_t since, uint64_t patience_ms,
    struct perfmap_name *names, size_t n);

#endif
