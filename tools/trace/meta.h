/*
 * What the META chunk of a trace says that reports reckon with.
 */
#ifndef TRACE_META_H
#define TRACE_META_H

#include <stdint.h>

#include "trace/model.h"

struct meta {              /* 0 and "" where it says nothing */
    double start;          /* seconds since 1970 */
    int collector_pid;     /* on `host` */
    uint64_t memory_limit; /* of the container, bytes */
    char host[256], cwd[4096];
};

void meta_read(struct meta *meta, const struct trace *trace);

#endif
