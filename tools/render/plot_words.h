/*
 * The words of a plot: command, subtitle, process names, sizes and times.
 */
#ifndef RENDER_PLOT_WORDS_H
#define RENDER_PLOT_WORDS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "render/format.h"
#include "trace/model.h"

/* "python3.11 app.py --items 40", cut to so many bytes, "..." at its end if it was.  The caller
   frees it; NULL if memory is short. */
char *plot_command(const struct trace *trace, size_t most);
/* "2024-05-14 10:22:31, laptop, Python 3.11.2, 12.4 s"; as plot_command. */
char *plot_subtitle(const struct trace *trace);
/* Cuts a text to `most` bytes in place, between two characters, "..." at its end then. */
void plot_shorten(char *text, size_t most);
/* The same, in its middle. */
void plot_shorten_middle(char *text, size_t most);
/* Cuts to `most` columns, with "..." in place of the beginning: of a path the end matters. */
void plot_shorten_head(char *text, size_t most);
/* "app.py (4242)".  */
void plot_process_name(char *name, size_t size, const struct trace *trace, uint32_t process);
/* "195.2 MiB", "11.9 s"; both return the buffer. */
const char *plot_size(char buffer[32], uint64_t bytes, enum units units);
const char *plot_time(char buffer[32], uint64_t time_us);

#endif
