/*
 * Parts of CSV (parts_csv.h).  Runs in the tools.
 */
#include "render/parts_csv.h"

#include "render/top.h"
#include "trace/natives.h"

static const char *const columns[VIEW_KEYS][4] = {
    [VIEW_CALLER] = {"filename", "lineno", "function"},
    [VIEW_LINENO] = {"filename", "lineno", "function"},
    [VIEW_FILENAME] = {"filename"},
    [VIEW_FUNCTION] = {"filename", "function"},
    [VIEW_MODULE] = {"module"},
    [VIEW_PACKAGE] = {"package"},
    [VIEW_TRACEBACK] = {"traceback", "native_frame"},
    [VIEW_DOMAIN] = {"domain"},
    [VIEW_THREAD] = {"pid", "tid", "thread"},
    [VIEW_PROCESS] = {"pid", "command"},
    [VIEW_NATIVE_FRAME] = {"native_frame"},
};

void csv_key_columns(struct csv *csv, enum view_key key)
{
    for (size_t i = 0; columns[key][i]; i++)
        csv_text(csv, columns[key][i]);
}

void csv_amount_columns(struct csv *csv)
{
    static const char *const amounts[] = {
        "size", "count", "python", "native", "allocated", "allocations"};
    for (size_t i = 0; i < sizeof amounts / sizeof *amounts; i++)
        csv_text(csv, amounts[i]);
    if (csv->samples) {
        csv_text(csv, "size_error");
        csv_text(csv, "allocated_error");
    }
    if (csv->touched)
        csv_text(csv, "touched");
}

void csv_amount(struct csv *csv, const struct view_amount *amount)
{
    csv_number(csv, amount->size);
    csv_number(csv, amount->count);
    csv_number(csv, amount->python);
    csv_number(csv, amount->native);
    csv_number(csv, amount->allocated);
    csv_number(csv, amount->allocations);
    if (csv->samples) {
        csv_number(csv, view_size_error(csv->samples, amount));
        csv_number(csv, view_allocated_error(csv->samples, amount));
    }
    if (csv->touched)
        csv_number(csv, amount->size - amount->untouched);
}

void csv_native(struct csv *csv, const struct report *report, uint32_t native)
{
    enum view_key key = report->options.view.key;
    char name[NATIVE_NAME];
    csv_text(csv, native ? natives_name(name, sizeof name, &report->trace, native, key) : "");
}

void csv_frame(struct csv *csv, const struct report *report, uint32_t node)
{
    enum view_key key = report->options.view.key;
    if (key == VIEW_MODULE || key == VIEW_PACKAGE) {
        csv_text(csv, node ? report_module(report, node) : TOP_NATIVE_CODE);
        return;
    }
    csv_text(csv, report_file(report, node)); /* of a native frame without a line its library */
    if (key == VIEW_CALLER || key == VIEW_LINENO)
        csv_number(csv, report->trace.nodes[node].line);
    if (key != VIEW_FILENAME)
        csv_text(csv, node ? report_function(report, node) : TOP_NO_FRAME);
}
