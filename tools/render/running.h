/*
 * Whether a trace is still being written.  Looks at processes of this machine.
 */
#ifndef RENDER_RUNNING_H
#define RENDER_RUNNING_H

#include <stdbool.h>
#include <stdint.h>

#include "trace/model.h"

/* True if it is not complete and the collector that writes it is alive.  *elapsed_us is then the
   time since it began. */
bool trace_is_running(const struct trace *trace, uint64_t *elapsed_us);

#endif
