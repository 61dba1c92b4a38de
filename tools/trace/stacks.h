/*
 * Whole stacks: the native frames of a site in their places between its Python
 * frames.
 */
#ifndef TRACE_STACKS_H
#define TRACE_STACKS_H

#include "trace/model.h"

/* Makes for each site with native frames a stack that has them: nodes, functions and strings are
   added to those of the file, and trace_site.stack names the innermost.  What would take more
   memory than any honest trace needs stays as it was. */
void stacks_merge(struct trace *trace);
/* Takes all of that back, when nothing else has been added since. */
void stacks_unmerge(struct trace *trace);

/* The innermost Python frame of a stack; 0 if it has none. */
uint32_t stacks_python(const struct trace *trace, uint32_t node);

#endif
