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
