/*
 * What is in a trace, beside its views: for people, for programs and for tests
 * that assert that nothing was lost.
 */
#ifndef RENDER_INFO_H
#define RENDER_INFO_H

#include <stdio.h>

#include "render/report.h"

void info_text(FILE *file, const struct report *report);
void info_json(FILE *file, const struct report *report);
void info_csv(FILE *file, const struct report *report);

struct info_counters {
    uint64_t unknown_frees, duplicate_allocations, inherited_frees, gap_events, gap_bytes, events;
};

/* When a process had most that was its own (PSS): NULL if the kernel did not say. */
const struct trace_share *info_share(const struct trace *trace, uint32_t process);
/* Sums over all processes. */
struct info_counters info_count(const struct trace *trace);
/* "processes: 5" and the tree of them. */
void info_processes(FILE *file, const struct report *report);
/* Number of moments that the program named. */
size_t info_marks(const struct trace *trace);
/* Microseconds from the session's begin to the last that the trace knows of. */
uint64_t info_duration(const struct trace *trace);
/* META's "start" in seconds, 0 if it is not there. */
double info_start(const struct report *report);
const char *info_host(const struct report *report);

/* What memtrace itself took at most: the collector, the agent in one process, the collector after the
   program's end; 0: not known. */
struct info_own {
    uint64_t collector, agent, end;
};
struct info_own info_own(const struct report *report);

/* Programs that were started as another user, or where memtrace is not seen, and could not be traced. */
uint64_t info_programs_left(const struct report *report);

/* The log of a trace that keeps every event; 0 of others. */
struct info_log {
    uint64_t events, bytes; /* in the file */
};
struct info_log info_log(const struct trace *trace);

extern const char *const info_boundary_names[];
extern const char *const info_python_names[]; /* by what was traced of it */

#endif
