/*
 * Names for native frames that a trace has none for.
 */
#ifndef RENDER_NAMING_H
#define RENDER_NAMING_H

#include "trace/model.h"

/* Looks for the files that the native code was loaded from, by their build ids, and for their
   debugging information: here, and where DEBUGINFOD_URLS says. */
void naming_complete(struct trace *trace);

#endif
