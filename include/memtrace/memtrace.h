/*
 * What a C or C++ program can tell memtrace, and ask it.  Public.
 *
 * There is nothing to link with: these functions do their work while the program
 * runs under `memtrace run`, and otherwise nothing.  All may be called from any
 * thread, but not from a signal handler nor from inside an allocator.
 */
#ifndef MEMTRACE_H
#define MEMTRACE_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MEMTRACE_WEAK __attribute__((weak, visibility("default")))

/* In the traced program these are those of the tracer; nowhere else are they defined. */
extern void memtrace_agent_mark(const char *name) MEMTRACE_WEAK;
extern unsigned memtrace_agent_region_begin(const char *name) MEMTRACE_WEAK;
extern void memtrace_agent_region_end(unsigned region) MEMTRACE_WEAK;
extern void memtrace_agent_start(void) MEMTRACE_WEAK;
extern void memtrace_agent_stop(void) MEMTRACE_WEAK;
extern int memtrace_agent_is_tracing(void) MEMTRACE_WEAK;
extern int memtrace_agent_get_traced_memory(size_t *current, size_t *peak) MEMTRACE_WEAK;

#undef MEMTRACE_WEAK

/* Names this moment: `memtrace top --at mark:NAME`. */
static inline void memtrace_mark(const char *name)
{
    if (memtrace_agent_mark) {
        memtrace_agent_mark(name);
    }
}

/* Names a stretch of time: a band in the plots.  Regions may nest and overlap; end one with the
   number that its begin returned, in any thread. */
static inline unsigned memtrace_region_begin(const char *name)
{
    return memtrace_agent_region_begin ? memtrace_agent_region_begin(name) : 0;
}

static inline void memtrace_region_end(unsigned region)
{
    if (memtrace_agent_region_end) {
        memtrace_agent_region_end(region);
    }
}

/* Records allocations again, after memtrace_stop or `memtrace run --off`. */
static inline void memtrace_start(void)
{
    if (memtrace_agent_start) {
        memtrace_agent_start();
    }
}

/* Records no allocation until memtrace_start; the frees of recorded blocks still count. */
static inline void memtrace_stop(void)
{
    if (memtrace_agent_stop) {
        memtrace_agent_stop();
    }
}

/* 1 while allocations are recorded, else 0. */
static inline int memtrace_is_tracing(void)
{
    return memtrace_agent_is_tracing ? memtrace_agent_is_tracing() : 0;
}

/* Live bytes of this process and the most that it ever had, Python and native, exactly as they
   are at the call.  1, or 0 if nobody traces the program, and then both are 0. */
static inline int memtrace_get_traced_memory(size_t *current, size_t *peak)
{
    *current = *peak = 0;
    return memtrace_agent_get_traced_memory ? memtrace_agent_get_traced_memory(current, peak) : 0;
}

#ifdef __cplusplus
}
#endif

#endif
