/*
 * Which processes of a trace matter to its reader.
 */
#ifndef TRACE_PROCESSES_H
#define TRACE_PROCESSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "trace/model.h"

/* A process that never ran Python and never held 1 MiB, or became another program: the shells
   and small tools on the way to what is really run. */
bool process_is_small(const struct trace *trace, uint32_t id);
/* The most that it was ever seen to hold, with its mappings. */
uint64_t process_most_held(const struct trace *trace, uint32_t id);
/* The process that the trace is about: the first that runs Python, else the first that is not
   small, else the first; of those that are selected (NULL: of all).  0 if there is none. */
uint32_t process_of_interest(const struct trace *trace, const bool *selected);
/* Marks those of the selected (NULL: all) that are shown as one, small ones where there are many;
   how many they are. */
size_t processes_fold(const struct trace *trace, const bool *selected, bool *folded);

/* What a forked process had of its parent's blocks, and still has at its own end. */
struct inheritance {
    int64_t bytes, blocks, held_bytes, held_blocks;
};
/* Of each process, by id; to be freed.  All zero where nothing was inherited. */
struct inheritance *processes_inherited(const struct trace *trace);

#endif
