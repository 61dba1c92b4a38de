/*
 * META is text that nobody vouches for: what is not as it should be is not there.
 * Runs in reports.
 */
#include "trace/meta.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

static double number(const json_t *object, const char *key, double most)
{
    double value = json_number_value(json_object_get(object, key));
    return value > 0 && value < most ? value : 0;
}

void meta_read(struct meta *meta, const struct trace *trace)
{
    memset(meta, 0, sizeof *meta);
    json_t *object = trace->meta ? json_loads(trace->meta, JSON_DECODE_INT_AS_REAL, NULL) : NULL;
    const char *host = json_string_value(json_object_get(object, "host"));
    const char *cwd = json_string_value(json_object_get(object, "cwd"));
    meta->start = number(object, "start", 1e11);
    meta->collector_pid = (int)number(object, "collector_pid", INT_MAX);
    meta->memory_limit = (uint64_t)number(object, "memory_limit", 1e18);
    snprintf(meta->host, sizeof meta->host, "%s", host ? host : "");
    snprintf(meta->cwd, sizeof meta->cwd, "%s", cwd ? cwd : "");
    json_decref(object);
}
