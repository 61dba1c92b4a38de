/*
 * Names of native callers (natives.h).  Runs in reports; a name that is not known
 * is never made up.
 */
#include "trace/natives.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const char *natives_library(const struct trace *trace, uint32_t native)
{
    const struct trace_module *module = &trace->modules[trace->natives[native].module];
    const char *path = trace->strings[module->path].data, *slash = strrchr(path, '/');
    return module->path ? (slash && slash[1] ? slash + 1 : path) : NULL;
}

bool natives_is_cut(const struct trace *trace, uint32_t native)
{
    const struct trace_native *at = &trace->natives[native];
    return native && !at->module && !at->address;
}

const char *natives_function(const struct trace *trace, uint32_t native)
{
    uint32_t function = trace->natives[native].function;
    return function                        ? trace->strings[function].data
           : natives_is_cut(trace, native) ? NATIVE_CUT
                                           : NULL;
}

const char *natives_name(
    char *buffer, size_t size, const struct trace *trace, uint32_t native, enum view_key key)
{
    const char *library = natives_library(trace, native);
    const char *function = natives_function(trace, native);
    uint64_t address = trace->natives[native].address;
    if (!native)
        snprintf(buffer, size, NATIVE_NONE);
    else if (natives_is_cut(trace, native))
        snprintf(buffer, size, NATIVE_CUT);
    else if (!library && function)
        snprintf(buffer, size, "%s", function);
    else if (!library && key == VIEW_NATIVE_FRAME)
        snprintf(buffer, size, NATIVE_NOWHERE);
    else if (!library)
        snprintf(buffer, size, "0x%" PRIx64, address);
    else if (function)
        snprintf(buffer, size, "%s %s", library, function);
    else
        snprintf(buffer, size, "%s+0x%" PRIx64, library, address);
    return buffer;
}
