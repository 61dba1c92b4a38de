/*
 * Names for native frames that a trace has none for.
 */
#ifndef RENDER_NAMING_H
#define RENDER_NAMING_H

#include "trace/view.h"

/* Looks for the files that the native code was loaded from, by their build ids, and for their
   debugging information: here, and where DEBUGINFOD_URLS says. */
void naming_complete(struct trace *trace);
/* The same of those functions alone that hold that share (0 to 1) of what a view of these options has,
   or called what does: which a tree shows. */
void naming_complete_large(struct trace *trace, const struct view_options *options, double share);

#endif
