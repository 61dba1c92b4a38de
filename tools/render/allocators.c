/*
 * Allocators that pass the agent by (allocators.h).  Runs in reports.
 */
#include "render/allocators.h"

#include <string.h>

#include "render/escape.h"

enum { SHOWN = 4 };

static size_t count(const struct trace *trace)
{
    size_t found = 0;
    for (size_t i = 1; i < trace->n_modules; i++)
        found += trace->modules[i].allocator != 0;
    return found;
}

static const char *base_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

void print_allocators(FILE *file, const struct trace *trace)
{
    size_t found = count(trace), shown = 0;
    for (size_t i = 1; i < trace->n_modules && shown < SHOWN; i++) {
        const struct trace_module *module = &trace->modules[i];
        if (!module->allocator)
            continue;
        print_name(file, base_of(trace->strings[module->path].data));
        fputs(" has its own ", file);
        print_name(file, trace->strings[module->allocator].data);
        fputs(": its blocks are not traced, what it maps is\n", file);
        shown++;
    }
    if (found > shown)
        fprintf(file, "%zu more have allocators of their own (memtrace info --format json)\n",
            found - shown);
}

void allocators_json(struct json *json, const struct trace *trace)
{
    if (!count(trace))
        return;
    json_open(json, "allocators", '[');
    for (size_t i = 1; i < trace->n_modules; i++) {
        const struct trace_module *module = &trace->modules[i];
        if (!module->allocator)
            continue;
        json_open(json, NULL, '{');
        json_name(json, "module", trace->strings[module->path].data);
        json_name(json, "name", trace->strings[module->allocator].data);
        json_close(json, '}');
    }
    json_close(json, ']');
}
