/*
 * Names for native frames that a trace has none for.
 */
#ifndef RENDER_NAMING_H
#define RENDER_NAMING_H

#include "trace/view.h"

/* Looks for the files that the native code was loaded from, by their build ids, and for their
   debugging information: here, and where DEBUGINFOD_URLS says. */
void naming_complete(struct trace *trace);
/* Of what called malloc, the function alone: what text with rows of VIEW_NATIVE_FRAME shows. */
void naming_complete_functions(struct trace *trace);
/* Whole names of those functions alone that hold that share (0 to 1) of what a view of these
   options has, or called what does: which a tree shows. */
void naming_complete_large(struct trace *trace, const struct view_options *options, double share);

/* The same of those alone that a report shows: `mark` marks them, in a trace whose stacks are
   merged and whose names are the trace's own.  Names change neither which stacks there are nor what
   they hold, but the order of those that hold the same. */
typedef void naming_choice(const struct trace *trace, const void *context, bool *wanted);
void naming_complete_chosen(struct trace *trace, naming_choice *mark, const void *context);
/* All of a stack. */
void naming_want_stack(const struct trace *trace, uint32_t stack, bool *wanted);
/* Rows that have as much as the n-th, if there are more than n: names tell which of them it is. */
void naming_want_last(const struct view *view, size_t n, bool *wanted);
/* The rows up to the view's limit, and those. */
void naming_want_rows(const struct view *view, bool *wanted);

#endif
