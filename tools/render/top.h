/*
 * A view as a ranking of rows: tracemalloc's statistics().
 */
#ifndef RENDER_TOP_H
#define RENDER_TOP_H

#include <stdio.h>

#include "render/csv.h"
#include "render/json.h"
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
/* The library and the function of a native caller. */
void print_native_name(FILE *file, const struct report *report, uint32_t native);
/* A native frame of a stack: "parse (tokenizer.c:123) in parsers.so"; without a line, and if it is
   asked for, how far in its function. */
void print_native_frame(FILE *file, const struct report *report, uint32_t node, bool with_offset);
/* The same of a key that has frames, for a frame. */
void print_node_name(FILE *file, const struct report *report, uint32_t node);
/* "worker (4250)", or "thread 4250" of one without a name. */
void print_thread_name(FILE *file, const struct trace *trace, uint32_t thread);
void print_row_name(FILE *file, const struct report *report, const struct view_row *row);

/* The source line of a row and the line that allocates for it, if there are any. */
void print_row_source(FILE *file, const struct report *report, const struct view_row *row);
/* The traceback of a row, most recent call last (of a stack deeper than --frames the most recent
   ones), and below it the native caller, if there is one. */
void print_whole_stack(FILE *file, const struct report *report, const struct view_row *row);

/* What a row is about, as members of an object and as fields; a traceback, most recent last. */
void json_row_name(struct json *json, const struct report *report, const struct view_row *row);
void json_traceback(struct json *json, const struct report *report, uint32_t leaf);
void csv_row_name(struct csv *csv, const struct report *report, const struct view_row *row);
void csv_rest_name(struct csv *csv, enum view_key key, enum view_rest rest);

/* First lines of a text report about a view: file, command, moment, totals; then cautions. */
void print_heading(FILE *file, const struct report *report, const struct view *view);

#endif
