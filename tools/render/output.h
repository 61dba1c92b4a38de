/*
 * Where reports and messages of all commands go, and the one place where their
 * writes are checked.
 */
#ifndef RENDER_OUTPUT_H
#define RENDER_OUTPUT_H

#include <stdbool.h>
#include <stdio.h>

/* Sets the locale up. */
void output_start(void);
/* One line on stderr, after "memtrace: ". */
void message(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* True for "-", which is no file. */
bool output_is_stdout(const char *path);
/* The stream of a report: stdout if path is NULL or "-", which then ends by SIGPIPE when its reader has
   gone; otherwise a file, NULL and a message if it cannot be made. */
FILE *output_open(const char *path);
/* Says on stdout where a report was written. */
void output_tell(const char *path);
/* Flushes what output_open opened, and stdout; returns `status`, or 1 with a message if
   something could not be written. */
int output_finish(int status);
/* True where the locale shows UTF-8. */
bool output_utf8(void);

#endif
