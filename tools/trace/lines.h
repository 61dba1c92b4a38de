/*
 * The lines of source files: what each holds, the most that it held, and what it
 * held at every retained boundary; where thousands of processes end, at some
 * thousand of these.  A line has what was allocated on its behalf, as the key
 * caller has it.  A view: it runs in reports.
 */
#ifndef TRACE_LINES_H
#define TRACE_LINES_H

#include "trace/view.h"

struct line {
    uint32_t line;
    const struct view_row *row;
    int64_t peak;    /* at a boundary, or at the peak of all */
    int64_t *series; /* bytes at each of the times */
};

struct line_file {
    const char *name;
    struct view_amount amount;
    int64_t metric;
    struct line *lines; /* by number */
    size_t n_lines;
};

struct lines {
    struct view view;
    struct view_options options; /* of the view: key and limit are ours */
    enum view_sort sort;         /* of the files */
    struct line_file *files;     /* the biggest first */
    size_t n_files, n_left_out;
    uint64_t *times_us;
    size_t n_times;
    char **mine; /* of files that are not the user's own */
    size_t n_mine;
};

/* The lines of the files that are called so (ends of their names), or of the `limit` biggest files
   if n_names is 0.  As view_make; n_files is 0 if no file is called so.  lines_free it in any
   case. */
enum view_error lines_make(struct lines *lines, const struct trace *trace,
    const struct view_options *options, char *const *names, size_t n_names, size_t limit);
void lines_free(struct lines *lines);

#endif
