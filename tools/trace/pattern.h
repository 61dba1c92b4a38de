/*
 * File name patterns as tracemalloc has them: Python's fnmatch, with the case
 * told apart, where `*` passes slashes and nothing escapes.
 */
#ifndef TRACE_PATTERN_H
#define TRACE_PATTERN_H

#include <stdbool.h>

/* True if all of `name` matches; a .pyc at the end of either counts as .py. */
bool pattern_match(const char *pattern, const char *name);

#endif
