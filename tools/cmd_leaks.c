/*
 * `memtrace leaks`: what keeps growing.
 */
#include "commands.h"

#include <argp.h>
#include <string.h>

#include "render/leaks.h"
#include "render/moments.h"
#include "render/naming.h"
#include "render/output.h"
#include "render/report.h"

struct arguments {
    struct report_options report;
    struct leaks_options leaks;
};

enum { OPTION_WARM_UP = 1000, OPTION_PER };

static const struct argp_option own_options[] = {
    {"warm-up", OPTION_WARM_UP, "MOMENT", 0,
        "Look at what comes after this moment (found out: where the pace of growth falls)", 0},
    {"per", OPTION_PER, "MARK", 0, "Growth for each mark of this name, such as a request", 0},
    {0},
};

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    switch (key) {
    case OPTION_WARM_UP:
        if (!moment_parse(&arguments->leaks.warm_up, text))
            argp_error(state, "'%s' is no moment; there are: %s", text, moment_choices());
        arguments->leaks.warm_up_given = true;
        return 0;
    case OPTION_PER:
        arguments->leaks.per =
            strncmp(text, "mark:", 5) == 0 ? text + 5 : text; /* as --at has it */
        return 0;
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &arguments->report;
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

static void explain(const struct report *report, struct leaks *leaks,
    const struct leaks_options *options, enum leaks_error error, enum view_error view_error)
{
    const char *path = report->trace.path;
    if (error == LEAKS_VIEW)
        explain_view(report, &leaks->view, view_error);
    else if (error == LEAKS_PEAK)
        message("%s: of the peak there is no history; --at end, a mark or a time has one", path);
    else if (error == LEAKS_WARM_UP)
        explain_moment(&report->trace, &options->warm_up, &leaks->view.from, leaks->view.error);
    else if (error == LEAKS_LATE)
        message("%s: --warm-up %s is not before the moment that is looked at, at %.1f s", path,
            options->warm_up.name, (double)leaks->end_us / 1e6);
    else
        message("%s: no mark '%s' after the warm-up of %.1f s; `memtrace info` lists the marks",
            path, options->per, (double)leaks->warm_up_us / 1e6);
}

static int print(const struct leaks_report *shown)
{
    const struct report_options *options = &shown->report->options;
    FILE *file = output_open(options->output);
    if (!file)
        return 1;
    if (options->format == FORMAT_JSON)
        leaks_json(file, shown);
    else if (options->format == FORMAT_CSV)
        leaks_csv(file, shown);
    else
        leaks_text(file, shown);
    return 0;
}

/* Leaks that are as quick are in the order of their rows, and these in that of their names. */
static void choose_leaks(const struct leaks *leaks, size_t limit, bool *wanted)
{
    const struct view *view = &leaks->view;
    size_t n = leaks->n_growing;
    double least = limit < n ? leaks->growing[limit - 1].size_per_s : 0;
    for (size_t i = 0; i < n + leaks->n_stopped; i++) {
        const struct leak *leak = i < n ? &leaks->growing[i] : &leaks->stopped[i - n];
        if (leak->row >= view->n_rows || (i < n && leak->size_per_s < least))
            continue;
        const struct view_row *row = &view->rows[leak->row];
        naming_want_stack(view->trace, row->node, wanted);
        naming_want_stack(view->trace, view->trace->sites[row->site].stack, wanted);
    }
}

static void choose(const struct report *report, bool *wanted)
{
    const struct view_options *options = &report->options.view;
    struct leaks leaks;
    enum view_error view_error;
    if (leaks_make(&leaks, &report->trace, options, report->options.choose_for, &view_error) ==
        LEAKS_OK) {
        choose_leaks(&leaks, options->limit, wanted);
        naming_want_last(&leaks.view, LEAKS_ROWS, wanted);
    }
    leaks_free(&leaks);
}

static int show(struct report *report, const struct leaks_options *options)
{
    struct leaks leaks;
    enum view_error view_error;
    enum leaks_error error =
        leaks_make(&leaks, &report->trace, &report->options.view, options, &view_error);
    int status = 1;
    if (error == LEAKS_OK)
        status = print(&(struct leaks_report){report, &leaks, options});
    else
        explain(report, &leaks, options, error, view_error);
    leaks_free(&leaks);
    return status;
}

int cmd_leaks(int argc, char **argv)
{
    static const char *const left_out[] = {"from", "to", "sort", "cumulative", NULL};
    struct report_argp common;
    report_argp_without(&common, left_out);
    const struct argp_child children[] = {{&common.argp, 0, NULL, 0}, {0}};
    const struct argp argp = {.options = own_options,
        .parser = parse,
        .args_doc = "[TRACE]",
        .doc = "What keeps growing in a traced program, and what grew and stopped.",
        .children = children};
    struct arguments arguments = {0};
    struct report report;
    report_defaults(&arguments.report);
    arguments.report.frames = 4;
    arguments.report.may_be_native = true;
    if (argp_parse(&argp, argc, argv, 0, NULL, &arguments))
        return 2;
    arguments.report.stacks = arguments.report.format == FORMAT_TEXT; /* native frames have names */
    report.options = arguments.report;
    report.options.choose = choose;
    report.options.choose_for = &arguments.leaks;
    if (!report_open(&report))
        return 1;
    int status = show(&report, &arguments.leaks);
    report_close(&report);
    return status;
}
