/*
 * Views in the formats of other tools.  All sizes are bytes.
 */
#ifndef RENDER_EXPORT_H
#define RENDER_EXPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "render/report.h"
#include "trace/view.h"

/* A stack of frames as nodes of the trace, the innermost first; it grows as it is used. */
struct export_stack {
    uint32_t *nodes;
    size_t depth, capacity;
};
void export_stack_of(struct export_stack *stack, const struct trace *trace, uint32_t leaf);
void export_stack_free(struct export_stack *stack);

/* "function (file:line)" */
void export_frame(FILE *file, const struct report *report, uint32_t node);

/* These take a view by traceback, which has each stack once; the value is what it is sorted by. */
void export_folded(FILE *file, const struct report *report, const struct view *view);
void export_speedscope(FILE *file, const struct report *report, const struct view *view);
/* These take what the view's sites hold. */
void export_pprof(FILE *file, const struct report *report, const struct view *view);
void export_pstats(FILE *file, const struct report *report, const struct view *view);
void export_tracemalloc(FILE *file, const struct report *report, const struct view *view);
/* Every event of the sites that a view lets through, as CSV; false if the trace does not have them,
   or they cannot be read again: *why says so. */
bool export_events(
    FILE *file, const struct report *report, const struct view *view, const char **why);
/* This one takes the timelines; false if there are none. */
bool export_mprof(FILE *file, const struct report *report, const struct view *view);

#endif
