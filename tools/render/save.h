/*
 * A file that is there whole or not at all.  Runs in reports.
 */
#ifndef RENDER_SAVE_H
#define RENDER_SAVE_H

#include <stdbool.h>
#include <stddef.h>

/* Writes a file anew, beside its place first; what is no regular file (/dev/null, a pipe) is
   written to.  False with errno set, and nothing left behind, if it cannot be. */
bool save_file(const char *path, const char *data, size_t size);

#endif
