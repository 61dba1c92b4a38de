/*
 * The trace that a report is about: the one named, or the newest of MEMTRACE_DIR or
 * of the current directory.  Speaks on stderr for the commands.
 */
#ifndef RENDER_INPUT_H
#define RENDER_INPUT_H

#include <stdbool.h>

#include "trace/model.h"

/* Where traces without a name of their own are. */
const char *input_directory(void);
/* Reads the trace at `path`, or the newest *.mtrace here if it is NULL, which is then said.
   False after a message; a trace that ends early is read, and that is said. */
bool input_read(struct trace *trace, const char *path);

#endif
