/*
 * Symbols at the time of a report (naming.h).  Runs in reports that show native
 * frames: the run may not have had the time, or the debugging information has
 * been installed since.
 */
#include "render/naming.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "trace/arena.h"
#include "trace/elfnames.h"

#define PATIENCE_MS 20000u

struct naming {
    struct trace *trace;
    struct elfnames *names;
    size_t strings_capacity, inlined_capacity;
};

static uint32_t add_string(struct naming *naming, const char *text)
{
    struct trace *trace = naming->trace;
    size_t size = strlen(text);
    char *copy = arena_need(trace->arena, size + 1);
    memcpy(copy, text, size);
    trace->strings = array_need(
        trace->strings, &naming->strings_capacity, trace->n_strings, sizeof *trace->strings);
    trace->strings[trace->n_strings] = (struct trace_string){copy, size};
    trace->n_merged_strings++;
    return (uint32_t)trace->n_strings++;
}

static void add_inlined(struct naming *naming, uint32_t native, const struct elfname_inlined *named)
{
    struct trace *trace = naming->trace;
    struct trace_inlined inlined = {.native = native, .line = (uint32_t)named->line};
    inlined.function = add_string(naming, named->function);
    inlined.file = named->line ? add_string(naming, named->file) : 0;
    trace->inlined = array_need(
        trace->inlined, &naming->inlined_capacity, trace->n_inlined, sizeof *trace->inlined);
    trace->inlined[trace->n_inlined++] = inlined;
}

static void name_native(struct naming *naming, uint32_t id)
{
    struct trace_native *native = &naming->trace->natives[id];
    struct elfname name;
    if (!elfnames_find(naming->names, native->address, &name))
        return;
    if (native->function && !name.line) {
        elfname_free(&name);
        return;
    }
    native->function = add_string(naming, name.function);
    native->offset = name.offset;
    native->line = (uint32_t)name.line;
    native->file = name.line ? add_string(naming, name.file) : 0;
    for (size_t i = 0; i < name.n_inlined; i++)
        add_inlined(naming, id, &name.inlined[i]);
    elfname_free(&name);
}

static const char *build_id(const struct naming *naming, uint32_t module)
{
    return naming->trace->strings[naming->trace->modules[module].build_id].data;
}

/* Is there debugging information now that the run may not have had? */
static bool has_more(const struct naming *naming, uint32_t module)
{
    const char *servers = getenv("DEBUGINFOD_URLS");
    char path[ELFNAMES_PATH];
    return (servers && *servers && *build_id(naming, module)) ||
           (elfnames_debug_path(path, build_id(naming, module)) && access(path, R_OK) == 0);
}

/* Without a build id nothing says that the file is the one that was loaded. */
static bool open_module(struct naming *naming, uint32_t module)
{
    const struct trace *trace = naming->trace;
    if (!naming->names)
        naming->names = elfnames_new(PATIENCE_MS);
    return naming->names && *build_id(naming, module) &&
           elfnames_open(naming->names, trace->strings[trace->modules[module].path].data,
               build_id(naming, module));
}

/* A name that is known, without a line, is looked for again where that may help. */
static void name_module(struct naming *naming, uint32_t module)
{
    bool lines = has_more(naming, module), is_open = false;
    for (uint32_t i = 1; i < naming->trace->n_natives; i++) {
        const struct trace_native *native = &naming->trace->natives[i];
        if (native->module != module || native->is_anchor ||
            (native->function && (native->line || !lines)))
            continue;
        if (!is_open && !open_module(naming, module))
            return;
        is_open = true;
        if (!elfnames_in_time(naming->names))
            return;
        name_native(naming, i);
    }
}

void naming_complete(struct trace *trace)
{
    struct naming naming = {.trace = trace};
    for (uint32_t module = 1; module < trace->n_modules; module++)
        name_module(&naming, module);
    elfnames_free(naming.names);
}
