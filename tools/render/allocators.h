/*
 * Libraries with an allocator of their own inside, whose blocks are not traced:
 * every report of text says so.
 */
#ifndef RENDER_ALLOCATORS_H
#define RENDER_ALLOCATORS_H

#include <stdio.h>

#include "render/json.h"
#include "trace/model.h"

/* A line for each of the first few, if there are any. */
void print_allocators(FILE *file, const struct trace *trace);
/* "allocators": each with its module's path and its name, if there are any. */
void allocators_json(struct json *json, const struct trace *trace);

#endif
