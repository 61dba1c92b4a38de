/*
 * What the program itself says to memtrace, from Python (module.c) or from C
 * (capi.c): marks, regions, pauses, questions.  Runs in the host, outside the
 * allocators, in the thread that says it.
 *
 * Without a session, and after its end, everything here does nothing.
 */
#ifndef AGENT_SAY_H
#define AGENT_SAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SAY_NAME_MAX 4096u /* longer names are cut */

struct say_report {
    uint64_t live_before, live_after, peak; /* bytes */
    uint64_t duration_us;
};

void say_mark(const char *name, size_t size);
/* Number of a region that has begun, 0 if nobody records it. */
uint32_t say_region_begin(const char *name, size_t size);
/* Ends it, in any thread.  With a report waits for the collector; false if there is none. */
bool say_region_end(uint32_t region, struct say_report *report);
/* From now on allocations are not recorded; frees still are. */
void say_pause(void);
void say_resume(void);
bool say_is_tracing(void);
/* Exact live and peak bytes of this process, python and native; false, and both 0, if there is
   nobody to answer. */
bool say_traced_memory(uint64_t *current, uint64_t *peak);
/* Whether what the calling thread allocates is memtrace's own. */
void say_own(bool own);

#endif
