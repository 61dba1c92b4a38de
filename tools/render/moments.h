/*
 * Moments in the words of a report: where one was found, and why it was not.
 */
#ifndef RENDER_MOMENTS_H
#define RENDER_MOMENTS_H

#include <stdio.h>

#include "render/json.h"
#include "render/report.h"
#include "trace/view.h"

/* "end", "peak (11.9 s)", "12.4 s (nearest to 12.5 s)", "mark:loaded (3.2 s)". */
void print_at(FILE *file, const struct view *view);
/* The same of where the interval begins. */
void print_from(FILE *file, const struct view *view);
/* {"name", "seconds", "nearest", "wanted"}: under "at", and of an interval under "from". */
void json_moments(struct json *json, const struct view *view);

/* The message for a view that could not be made. */
void explain_view(const struct report *report, const struct view *view, enum view_error error);
/* Says why a view is empty when it is the options' doing. */
void explain_empty(const struct view *view);
/* The message for a moment that was not found. */
void explain_moment(const struct trace *trace, const struct moment *moment,
    const struct instant *instant, enum moment_error error);

#endif
