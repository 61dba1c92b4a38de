/*
 * What the files that read bodies of chunks share.  Only for bodies.c and
 * bodies_*.c.
 */
#ifndef TRACE_BODIES_PARTS_H
#define TRACE_BODIES_PARTS_H

#include "trace/bodies.h"

/* Reads one kind; what is damaged it says in the cursor. */
typedef void parse_function(struct reader *reader, struct cursor *body);

/* Code and stacks. */
parse_function body_functions, body_nodes, body_modules, body_allocators, body_natives,
    body_symbols, body_inlined, body_anchors, body_lines, body_sites, body_files;
/* Processes. */
parse_function body_processes, body_threads, body_thread_names, body_pythons, body_process_end,
    body_regions, body_sizes, body_timeline, body_shares;
/* Moments. */
parse_function body_boundary, body_sampled_boundary, body_sampling, body_peak, body_sampled_peak,
    body_thin, body_log, body_untouched;

/* A process that must be one: 0 will not do. */
uint32_t body_process_id(struct trace *trace, struct cursor *body);
/* Zeroed, for as long as the trace; NULL if it wants more than it may. */
void *body_allocate(struct reader *reader, size_t size);
/* Makes room for `more` zeroed records behind `count`. */
void *body_extend(struct reader *reader, void *array, size_t count, size_t more, size_t item);

#define EXTEND(reader, array, count, more)                                                         \
    ((array) = body_extend((reader), (array), (count), (more), sizeof *(array)),                   \
        !(reader)->no_memory && !(reader)->no_room)

#endif
