/*
 * Names for Python: UTF-8 in which each byte that fits into no character is a
 * lone surrogate, as os.fsdecode makes of it; pickle and marshal read that.
 */
#ifndef RENDER_SURROGATES_H
#define RENDER_SURROGATES_H

#include <stddef.h>

#include "trace/writer.h"

void buffer_append_surrogates(struct buffer *buffer, const char *text, size_t size);

#endif
