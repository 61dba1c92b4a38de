/*
 * Source files with what each line holds, as text and as data.
 */
#ifndef RENDER_LINES_H
#define RENDER_LINES_H

#include <stdio.h>

#include "render/report.h"
#include "trace/lines.h"

struct lines_report {
    const struct report *report;
    const struct lines *lines;
    double threshold; /* share of the file's highest; of what is smaller the lines are left out */
    bool all;         /* lines of the file that hold nothing, too */
};

void lines_text(FILE *file, const struct lines_report *about);
void lines_json(FILE *file, const struct lines_report *about);
void lines_csv(FILE *file, const struct lines_report *about);

/* True if a line matters. */
bool lines_matters(
    const struct lines_report *about, const struct line_file *file, const struct line *line);

#endif
