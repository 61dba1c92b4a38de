/*
 * What keeps growing, for people and for programs.
 */
#ifndef RENDER_LEAKS_H
#define RENDER_LEAKS_H

#include <stdio.h>

#include "render/report.h"
#include "trace/leaks.h"

struct leaks_report {
    const struct report *report;
    const struct leaks *leaks;
    const struct leaks_options *options;
};

void leaks_text(FILE *file, const struct leaks_report *shown);
void leaks_json(FILE *file, const struct leaks_report *shown);
void leaks_csv(FILE *file, const struct leaks_report *shown);

/* How many of the growing ones the options want to be shown. */
size_t leaks_shown(const struct leaks_report *shown);

#endif
