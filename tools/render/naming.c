/*
 * Symbols at the time of a report (naming.h).  Runs in reports that show native
 * frames: the run may not have had the time, or the debugging information has
 * been installed since.
 */
#include "render/naming.h"

#include <stdlib.h>
#include <string.h>

#include "trace/arena.h"
#include "trace/elfnames.h"

#define PATIENCE_MS 20000u

static uint32_t add_string(struct trace *trace, size_t *capacity, const char *text)
{
    size_t size = strlen(text);
    char *copy = arena_need(trace->arena, size + 1);
    memcpy(copy, text, size);
    if (trace->n_strings >= *capacity) {
        *capacity = trace->n_strings * 2 + 64;
        trace->strings = reallocarray(trace->strings, *capacity, sizeof *trace->strings);
        if (!trace->strings)
            abort();
    }
    trace->strings[trace->n_strings] = (struct trace_string){copy, size};
    trace->n_merged_strings++;
    return (uint32_t)trace->n_strings++;
}

static void name_native(
    struct trace *trace, size_t *capacity, struct elfnames *names, struct trace_native *native)
{
    struct elfname name;
    if (!elfnames_find(names, native->address, &name))
        return;
    native->function = add_string(trace, capacity, name.function);
    native->offset = name.offset;
    native->line = (uint32_t)name.line;
    native->file = name.line ? add_string(trace, capacity, name.file) : 0;
    free(name.function);
}

/* Without a build id nothing says that the file is the one that was loaded. */
static bool open_module(const struct trace *trace, struct elfnames *names, uint32_t module)
{
    const struct trace_module *at = &trace->modules[module];
    return at->build_id &&
           elfnames_open(names, trace->strings[at->path].data, trace->strings[at->build_id].data);
}

void naming_complete(struct trace *trace)
{
    struct elfnames *names = NULL;
    size_t capacity = 0;
    for (uint32_t module = 1; module < trace->n_modules; module++) {
        bool is_open = false;
        for (uint32_t i = 1; i < trace->n_natives; i++) {
            struct trace_native *native = &trace->natives[i];
            if (native->module != module || native->function || native->is_anchor)
                continue;
            if (!names)
                names = elfnames_new(PATIENCE_MS);
            if (!names || !elfnames_in_time(names) ||
                (!is_open && !open_module(trace, names, module)))
                break;
            is_open = true;
            name_native(trace, &capacity, names, native);
        }
    }
    elfnames_free(names);
}
