/*
 * Two traces compared, as text and as data.
 */
#ifndef RENDER_DIFF_H
#define RENDER_DIFF_H

#include <stdio.h>

#include "render/report.h"
#include "trace/diff.h"

struct diff_side { /* a view and the report that has its names */
    const struct report *report;
    const struct view *view;
};

struct diff_report {
    const struct diff *diff;
    const struct diff_side *sides; /* the old ones, then the new one */
    size_t n_sides;
    bool moved;
    bool failed; /* grew by more than --fail-above */
};

void diff_text(FILE *file, const struct diff_report *about);
void diff_json(FILE *file, const struct diff_report *about);
void diff_csv(FILE *file, const struct diff_report *about);

/* Rows to show. */
size_t diff_rows(const struct diff_report *about);
/* The report that names a row. */
const struct report *diff_report_of(const struct diff_report *about, const struct diff_row *row);
extern const char *const diff_kind_names[DIFF_KINDS];
/* +19.5 KiB, -3368 B, +0 B. */
/* The error of the change in the report's metric of bytes; 0 where neither trace is of samples.  Of
   two moments of one trace it is less, as what is in both is no difference. */
int64_t diff_error(const struct diff_report *about, const struct diff_row *row);
char *format_change(char buffer[FORMAT_SIZE], int64_t bytes, enum units units);

#endif
