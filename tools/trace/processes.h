/*
 * Which processes of a trace matter to its reader.
 */
#ifndef TRACE_PROCESSES_H
#define TRACE_PROCESSES_H

#include <stdbool.h>
#include <stdint.h>

#include "trace/model.h"

/* A process that never ran Python and never held 1 MiB, or became another program: the shells
   and small tools on the way to what is really run. */
bool process_is_small(const struct trace *trace, uint32_t id);
/* The process that the trace is about: the first that runs Python, else the first that is not
   small, else the first; of those that are selected (NULL: of all).  0 if there is none. */
uint32_t process_of_interest(const struct trace *trace, const bool *selected);

#endif
