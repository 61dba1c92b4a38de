/*
 * What the CSV of all reports about views has in common.
 */
#ifndef RENDER_PARTS_CSV_H
#define RENDER_PARTS_CSV_H

#include "render/csv.h"
#include "render/report.h"
#include "trace/view.h"

/* The names of the columns of a key, and of amounts. */
void csv_key_columns(struct csv *csv, enum view_key key);
void csv_amount_columns(struct csv *csv);
/* What is in them: of a key that has frames but not traceback; bytes and blocks. */
void csv_native(struct csv *csv, const struct report *report, uint32_t native);
void csv_frame(struct csv *csv, const struct report *report, uint32_t node);
void csv_amount(struct csv *csv, const struct view_amount *amount);

#endif
