/*
 * What the JSON of all reports about views has in common.
 */
#ifndef RENDER_PARTS_JSON_H
#define RENDER_PARTS_JSON_H

#include "render/json.h"
#include "render/report.h"
#include "trace/view.h"

/* Opens the document: schema, trace, command, moments, key and total. */
void json_begin_report(struct json *json, const struct report *report, const struct view *view);
/* size, count, python and native; json_amount has allocated and allocations as well. */
void json_split(struct json *json, const struct view_amount *amount);
void json_amount(struct json *json, const struct view_amount *amount);
/* "sample_bytes", if the trace is of samples: amounts that follow have their errors. */
void json_sampling(struct json *json, const struct report *report);
/* The arguments of a process. */
void json_command(struct json *json, const struct trace *trace, uint32_t process);
/* filename, lineno and function of a node's frame. */
void json_place(struct json *json, const struct report *report, uint32_t node);
/* What the report's key has of a frame: filename and so on, or "name" if there is none. */
/* "native_frame": library, function, ... of a native caller; what is not known,
   or differs within a row, is left out. */
void json_native(struct json *json, const struct report *report, uint32_t native);
void json_frame(struct json *json, const struct report *report, uint32_t node);
/* What a row of a view is about, and its amount: the members of an object. */
void json_row(struct json *json, const struct report *report, const struct view_row *row);
/* "excluded": what filters left out. */
void json_excluded(struct json *json, const struct view *view);

#endif
