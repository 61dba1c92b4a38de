/*
 * `memtrace lines`: source files with what each line holds.
 */
#include "commands.h"

#include <argp.h>
#include <stdlib.h>
#include <string.h>

#include "render/found.h"
#include "render/lines.h"
#include "render/moments.h"
#include "render/output.h"
#include "render/report.h"

enum { NAMES = 64 };

struct arguments {
    struct report_options report;
    char *names[NAMES]; /* of source files */
    size_t n_names;
    double threshold; /* percent */
    bool all;
};

enum { OPTION_ALL = 1000, OPTION_THRESHOLD };

static const struct argp_option options[] = {
    {"all", OPTION_ALL, NULL, 0, "All lines of the files, not those alone that matter", 0},
    {"threshold", OPTION_THRESHOLD, "PERCENT", 0,
        "A line matters if it held so much of what the file's biggest line did (1)", 0},
    {0},
};

static void parse_threshold(struct argp_state *state, struct arguments *arguments, const char *text)
{
    char *end;
    double percent = strtod(text, &end);
    end += *end == '%';
    if (end == text || *end || !(percent >= 0 && percent <= 100))
        argp_error(state, "--threshold takes percents, not '%s'", text);
    arguments->threshold = percent;
}

static bool is_trace(const char *name)
{
    size_t size = strlen(name);
    return (size > 7 && strcmp(name + size - 7, ".mtrace") == 0) || found_is_trace(name);
}

static void add_name(struct argp_state *state, struct arguments *arguments, char *text)
{
    if (is_trace(text) && arguments->report.trace)
        argp_error(state, "one trace at a time, not '%s' as well", text);
    else if (is_trace(text))
        arguments->report.trace = text;
    else if (arguments->n_names == NAMES)
        argp_error(state, "%d files at most: '%s' is one too many", NAMES, text);
    else
        arguments->names[arguments->n_names++] = text;
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &arguments->report;
        return 0;
    case OPTION_ALL:
        arguments->all = true;
        return 0;
    case OPTION_THRESHOLD:
        parse_threshold(state, arguments, text);
        return 0;
    case ARGP_KEY_ARG:
        add_name(state, arguments, text);
        return 0;
    case ARGP_KEY_SUCCESS:
        if (arguments->report.view.key != VIEW_CALLER)
            argp_error(state, "lines have no other --key than caller");
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

static const struct argp_child children[] = {{&report_argp, 0, NULL, 0}, {0}};
static const struct argp argp = {.options = options,
    .parser = parse,
    .args_doc = "[FILE.py...] [TRACE]",
    .doc = "Source files with what each line holds, held at most, and over time.\v"
           "Without FILE: those that hold most.",
    .children = children};

static int print(const struct lines_report *about)
{
    FILE *file = output_open(about->report->options.output);
    if (!file)
        return 1;
    if (about->report->options.format == FORMAT_JSON)
        lines_json(file, about);
    else if (about->report->options.format == FORMAT_CSV)
        lines_csv(file, about);
    else
        lines_text(file, about);
    return 0;
}

static int print_or_explain(
    const struct report *report, const struct lines *lines, const struct arguments *arguments)
{
    if (!lines->n_files && arguments->n_names) {
        message("%s: nothing was allocated by %s; `memtrace top --key filename` lists files",
            report->trace.path, arguments->names[0]);
        return 1;
    }
    explain_empty(&lines->view);
    struct lines_report about = {.report = report,
        .lines = lines,
        .threshold = arguments->threshold / 100,
        .all = arguments->all};
    return print(&about);
}

int cmd_lines(int argc, char **argv)
{
    struct arguments arguments = {.threshold = 1};
    struct report report;
    struct lines lines;
    report_defaults(&arguments.report);
    arguments.report.view.limit = 3;
    if (argp_parse(&argp, argc, argv, 0, NULL, &arguments))
        return 2;
    report.options = arguments.report;
    if (!report_open(&report))
        return 1;
    int status = 1;
    const struct view_options *view = &report.options.view;
    enum view_error failed =
        lines_make(&lines, &report.trace, view, arguments.names, arguments.n_names, view->limit);
    if (failed == VIEW_OK)
        status = print_or_explain(&report, &lines, &arguments);
    else
        explain_view(&report, &lines.view, failed);
    lines_free(&lines);
    report_close(&report);
    return status;
}
