/*
 * `memtrace top`: which lines hold the memory.
 */
#include "commands.h"

#include <argp.h>

#include "render/moments.h"
#include "render/naming.h"
#include "render/output.h"
#include "render/report.h"
#include "render/top.h"
#include "trace/view.h"

static error_t parse(int key, char *text, struct argp_state *state)
{
    if (key != ARGP_KEY_INIT)
        return ARGP_ERR_UNKNOWN;
    state->child_inputs[0] = state->input;
    return 0;
}

static const struct argp_child children[] = {{&report_argp, 0, NULL, 0}, {0}};
static const struct argp argp = {.parser = parse,
    .args_doc = "[TRACE]",
    .doc = "Which lines hold the memory of a traced program.",
    .children = children};

static int print(const struct report *report, const struct view *view)
{
    FILE *file = output_open(report->options.output);
    if (!file)
        return 1;
    if (report->options.format == FORMAT_JSON)
        top_json(file, report, view);
    else if (report->options.format == FORMAT_CSV)
        top_csv(file, report, view);
    else
        top_text(file, report, view);
    return 0;
}

static void choose(const struct report *report, bool *wanted)
{
    struct view view;
    if (view_make(&view, &report->trace, &report->options.view) == VIEW_OK)
        naming_want_rows(&view, wanted);
    view_free(&view);
}

int cmd_top(int argc, char **argv)
{
    struct report report;
    struct view view;
    report_defaults(&report.options);
    report.options.may_be_native = true;
    report.options.choose = choose;
    error_t error = argp_parse(&argp, argc, argv, 0, NULL, &report.options);
    if (error)
        return 2;
    if (!report_open(&report))
        return 1;
    int status = 1;
    enum view_error failed = view_make(&view, &report.trace, &report.options.view);
    if (failed == VIEW_OK) {
        explain_empty(&view);
        status = print(&report, &view);
    } else
        explain_view(&report, &view, failed);
    view_free(&view);
    report_close(&report);
    return status;
}
