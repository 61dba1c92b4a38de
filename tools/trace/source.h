/*
 * Lines of Python source files as UTF-8, whatever encoding a file declares (PEP
 * 263) or begins with (a byte order mark).  Used by the collector, which puts
 * lines into the trace, and by reports.
 */
#ifndef TRACE_SOURCE_H
#define TRACE_SOURCE_H

#include <stddef.h>
#include <stdint.h>

enum { SOURCE_LINE_MAX = 240 }; /* bytes of a line that are kept */

struct source;

/* A file in memory; NULL if it is not there, no regular file, or larger than 64 MiB. */
struct source *source_open(const char *path);
void source_close(struct source *source);
/* Line `number`, from 1, without the blanks around it and cut between two characters to
   SOURCE_LINE_MAX bytes.  What its encoding does not decode is \xNN.  NULL if there is no such
   line; else valid until the next call. */
const char *source_line(struct source *source, uint32_t number, size_t *size);
/* The same with the blanks before it. */
const char *source_indented(struct source *source, uint32_t number, size_t *size);
size_t source_count(const struct source *source);

#endif
