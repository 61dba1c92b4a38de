/*
 * The functions that include/memtrace/memtrace.h finds while the program is
 * traced.  In the host, called by the program.
 */
#include <string.h>

#include "say.h"

#define EXPORT __attribute__((visibility("default")))

EXPORT void memtrace_agent_mark(const char *name);
EXPORT unsigned memtrace_agent_region_begin(const char *name);
EXPORT void memtrace_agent_region_end(unsigned region);
EXPORT void memtrace_agent_start(void);
EXPORT void memtrace_agent_stop(void);
EXPORT int memtrace_agent_is_tracing(void);
EXPORT int memtrace_agent_get_traced_memory(size_t *current, size_t *peak);

void memtrace_agent_mark(const char *name)
{
    say_mark(name, strlen(name));
}

unsigned memtrace_agent_region_begin(const char *name)
{
    return say_region_begin(name, strlen(name));
}

void memtrace_agent_region_end(unsigned region)
{
    say_region_end(region, NULL);
}

void memtrace_agent_start(void)
{
    say_resume();
}

void memtrace_agent_stop(void)
{
    say_pause();
}

int memtrace_agent_is_tracing(void)
{
    return say_is_tracing();
}

int memtrace_agent_get_traced_memory(size_t *current, size_t *peak)
{
    uint64_t now, most;
    bool known = say_traced_memory(&now, &most);
    *current = now;
    *peak = most;
    return known;
}
