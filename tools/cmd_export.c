/*
 * `memtrace export`: a view for the tools that people already have.
 */
#include "commands.h"

#include <argp.h>
#include <string.h>
#include <unistd.h>

#include "render/export.h"
#include "render/gap.h"
#include "render/moments.h"
#include "render/output.h"
#include "render/report.h"

struct format {
    const char *name, *suffix;
    bool is_binary, by_stack;
    void (*write)(FILE *file, const struct report *report, const struct view *view);
};

static const struct format formats[] = {
    {"tracemalloc", "snapshot", true, false, export_tracemalloc},
    {"mprof", "dat", false, false, NULL},
    {"speedscope", "speedscope.json", false, false, export_speedscope},
    {"pprof", "pb", true, false, export_pprof},
    {"folded", "folded", false, true, export_folded},
    {"pstats", "pstats", true, false, export_pstats},
    {"events", "csv", false, false, NULL},
};
enum { FORMATS = sizeof formats / sizeof *formats };

struct arguments {
    struct report_options report;
    const struct format *to;
};

enum { OPTION_TO = 1000, BLOCKS_OF_A_SNAPSHOT = 200000000 };

static const struct argp_option own_options[] = {
    {"to", OPTION_TO, "TOOL", 0,
        "For tracemalloc (Snapshot.load), mprof, speedscope, pprof, folded (stacks for "
        "flamegraph.pl) or pstats; or all events as CSV, of a trace that has them (run --full)",
        0},
    {0},
};

#define FORMATS_KNOWN "tracemalloc, mprof, speedscope, pprof, folded, pstats, events"

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    switch (key) {
    case OPTION_TO:
        for (int i = 0; i < FORMATS; i++)
            if (strcmp(text, formats[i].name) == 0)
                arguments->to = &formats[i];
        if (!arguments->to)
            argp_error(state, "'%s' is not known; there are: " FORMATS_KNOWN, text);
        return 0;
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &arguments->report;
        return 0;
    case ARGP_KEY_END:
        if (!arguments->to)
            argp_error(state, "--to says for which tool: " FORMATS_KNOWN);
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

/* A snapshot names each block, five bytes each time. */
static bool is_too_large(const struct report *report, const struct view *view)
{
    if (view->total.count <= BLOCKS_OF_A_SNAPSHOT)
        return false;
    message("%s: %lld blocks are too many for a snapshot of tracemalloc: leave some out with "
            "--include or --exclude, or take --to pprof",
        report->trace.path, (long long)view->total.count);
    return true;
}

static bool write_view(FILE *file, const struct arguments *arguments, const struct report *report,
    const struct view *view)
{
    if (arguments->to->write == export_tracemalloc && is_too_large(report, view))
        return false;
    if (arguments->to->write) {
        arguments->to->write(file, report, view);
        return true;
    }
    if (strcmp(arguments->to->name, "events") == 0) {
        const char *why;
        bool good = export_events(file, report, view, &why);
        if (!good)
            message("%s: %s", report->trace.path, why);
        return good;
    }
    if (export_mprof(file, report, view))
        return true;
    message("%s: no sample in it: the program ended before its memory was first looked at",
        report->trace.path);
    return false;
}

static int show(const struct arguments *arguments, const struct report *report)
{
    struct view view;
    int status = 1;
    const struct view_options *options = &report->options.view;
    enum view_error error = arguments->to->by_stack ? view_make(&view, &report->trace, options)
                                                    : view_open(&view, &report->trace, options);
    FILE *file = NULL;
    if (error != VIEW_OK)
        explain_view(report, &view, error);
    else if ((file = output_open(report->options.output)) != NULL) {
        explain_empty(&view);
        status = write_view(file, arguments, report, &view) ? 0 : 1;
    }
    view_free(&view);
    return status;
}

/* The option to= that all reports have is the one here, for tools. */
int cmd_export(int argc, char **argv)
{
    static const char *const left_out[] = {
        "to", "key", "limit", "cumulative", "frames", "mine", "source", "units", "format", NULL};
    struct report_argp common;
    report_argp_without(&common, left_out);
    const struct argp_child children[] = {{&common.argp, 0, NULL, 0}, {0}};
    const struct argp argp = {.options = own_options,
        .parser = parse,
        .args_doc = "[TRACE]",
        .doc = "Writes what a traced program holds for another tool.",
        .children = children};
    struct arguments arguments = {0};
    struct report report;
    report_defaults(&arguments.report);
    arguments.report.stacks = true;
    arguments.report.paths = PATHS_FULL;
    if (argp_parse(&argp, argc, argv, 0, NULL, &arguments))
        return 2;
    const char *output = arguments.report.output;
    if (arguments.to->is_binary && (!output || output_is_stdout(output)) && isatty(STDOUT_FILENO)) {
        message("--to %s is no text: give -o FILE.%s", arguments.to->name, arguments.to->suffix);
        return 2;
    }
    arguments.report.view.key = arguments.to->by_stack ? VIEW_TRACEBACK : VIEW_LINENO;
    arguments.report.view.limit = 0;
    arguments.report.view.unsorted = true; /* callers stay together */
    if (strcmp(arguments.to->name, "events") == 0 && !arguments.report.view.filter.domains)
        arguments.report.view.filter.domains = (1u << MT_DOMAINS) - 1; /* maps are events as well */
    report.options = arguments.report;
    if (!report_open(&report))
        return 1;
    gap_warn(&report.trace);
    int status = show(&arguments, &report);
    report_close(&report);
    return status;
}
