/*
 * A view as a ranking of rows: tracemalloc's statistics().
 */
#ifndef RENDER_TOP_H
#define RENDER_TOP_H

#include <stdio.h>

#include "render/report.h"
#include "trace/view.h"

void top_text(FILE *file, const struct report *report, const struct view *view);
void top_json(FILE *file, const struct report *report, const struct view *view);
void top_csv(FILE *file, const struct report *report, const struct view *view);

/* The number of rows to show. */
size_t top_rows(const struct report *report, const struct view *view);
/* The names of a view's rest. */
extern const char *const top_rest_names[VIEW_RESTS];
#define TOP_NO_FRAME "no Python frame"
#define TOP_NATIVE_CODE "native code" /* of the keys module and package */
/* What a row is called that has no frame. */
const char *top_no_frame(enum view_key key);
/* True for keys of which some blocks are in no row. */
bool top_has_rests(enum view_key key);

/* File and line of a node's frame; what a row is about, by the report's key. */
void print_place(FILE *file, const struct report *report, uint32_t node);
/* The same of a key that has frames, for a frame. */
void print_node_name(FILE *file, const struct report *report, uint32_t node);
void print_row_name(FILE *file, const struct report *report, const struct view_row *row);

/* First lines of a text report about a view: file, command, moment, totals; then cautions. */
void print_heading(FILE *file, const struct report *report, const struct view *view);

#endif
