/*
 * What native callers are called.
 */
#ifndef TRACE_NATIVES_H
#define TRACE_NATIVES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "trace/view.h"

#define NATIVE_NONE "no native frame"
#define NATIVE_CUT "[no unwind information]"
#define NATIVE_NOWHERE "code of no library"

enum { NATIVE_NAME = 1024 }; /* room for a name; longer ones are cut */

/* The file name of its library without directories; NULL if it is in none. */
const char *natives_library(const struct trace *trace, uint32_t native);
/* It is no frame: the native stack could not be followed further than to the one above it. */
bool natives_is_cut(const struct trace *trace, uint32_t native);
/* The function, NULL where it is not known. */
const char *natives_function(const struct trace *trace, uint32_t native);
/* `libz.so.1 deflateInit2_`, `libz.so.1+0x1234`, `0x7f...`.  A row of
   VIEW_NATIVE_FRAME has no address of its own where there is no library.  Returns the buffer. */
const char *natives_name(
    char *buffer, size_t size, const struct trace *trace, uint32_t native, enum view_key key);

#endif
