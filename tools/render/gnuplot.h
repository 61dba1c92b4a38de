/*
 * gnuplot as a child process: script in, picture out.  Runs in reports.
 *
 * gnuplot's language can run commands (backticks, pipes as file names), so no
 * text of a trace gets into a script but through gnuplot_string, and gnuplot
 * never sees a file name: it reads its standard input and writes its standard
 * output.  The user's own start-up file is not read.
 */
#ifndef RENDER_GNUPLOT_H
#define RENDER_GNUPLOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum gnuplot_error {
    GNUPLOT_OK = 0,
    GNUPLOT_MISSING = -1, /* no such program */
    GNUPLOT_FAILED = -2,  /* see `errors` */
    GNUPLOT_SYSTEM = -3   /* errno says why it could not be started */
};

struct gnuplot_result { /* both NUL-terminated; gnuplot_free frees them */
    char *output, *errors;
    size_t size; /* of output */
};

/* Writes text as a constant that gnuplot takes literally: single-quoted, one line, valid UTF-8
   (what is not becomes '?', control characters become blanks). */
void gnuplot_string(FILE *script, const char *text);

/* Appends a script of plots/, from beside the executable or from the installed data.  False if
   it is nowhere; `looked` is then the last place tried. */
bool gnuplot_template(FILE *script, const char *name, const char **looked);

/* Runs a script. */
enum gnuplot_error gnuplot_run(const char *script, size_t size, struct gnuplot_result *result);
void gnuplot_free(struct gnuplot_result *result);

#endif
