/*
 * Totals of a program as text and as data.
 */
#ifndef RENDER_STATS_H
#define RENDER_STATS_H

#include <stdio.h>

#include "render/report.h"
#include "trace/totals.h"

enum { STATS_BY_SIZE, STATS_BY_COUNT, STATS_RANKINGS };

struct stats {
    const struct report *report;
    const struct totals *totals;
    const struct view *rankings[STATS_RANKINGS]; /* most allocated, by bytes and by blocks */
};

void stats_text(FILE *file, const struct stats *stats);
void stats_json(FILE *file, const struct stats *stats);
void stats_csv(FILE *file, const struct stats *stats);

/* Sizes of so many bits: from, and up to. */
uint64_t stats_low(unsigned bits);
uint64_t stats_high(unsigned bits);

#endif
