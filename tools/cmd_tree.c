/*
 * `memtrace tree`: the call tree that the memory was allocated in.
 */
#include "commands.h"

#include <argp.h>
#include <stdlib.h>
#include <string.h>

#include "render/moments.h"
#include "render/output.h"
#include "render/report.h"
#include "render/tree.h"

struct arguments {
    struct report_options report;
    struct tree_options shape;
    double threshold; /* percent */
    bool all;
};

enum { OPTION_INVERTED = 1000, OPTION_DEPTH, OPTION_THRESHOLD, OPTION_ALL };

static const struct argp_option options[] = {
    {"inverted", OPTION_INVERTED, NULL, 0, "From the allocating lines up to who called them", 0},
    {"bottom-up", 0, NULL, OPTION_ALIAS, NULL, 0},
    {"depth", OPTION_DEPTH, "N", 0, "Frames of a branch, 0 for all (100)", 0},
    {"threshold", OPTION_THRESHOLD, "PERCENT", 0,
        "Branches with less of the total become one line (1)", 0},
    {"all", OPTION_ALL, NULL, 0, "Every branch and every frame: nothing is folded", 0},
    {0},
};

static void parse_depth(struct argp_state *state, struct arguments *arguments, const char *text)
{
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 9 || text[digits])
        argp_error(state, "--depth takes a number, not '%s'", text);
    arguments->shape.depth = (uint32_t)strtoul(text, NULL, 10);
}

static void parse_threshold(struct argp_state *state, struct arguments *arguments, const char *text)
{
    char *end;
    double percent = strtod(text, &end);
    end += *end == '%';
    if (end == text || *end || !(percent >= 0 && percent <= 100))
        argp_error(state, "--threshold takes a part of the total in percent, not '%s'", text);
    arguments->threshold = percent;
}

static void finish(struct argp_state *state, struct arguments *arguments)
{
    enum view_key key = arguments->report.view.key;
    if (!view_key_has_frames(key) || key == VIEW_TRACEBACK)
        argp_error(state,
            "--key %s makes no tree; there are: caller, lineno, filename, function, module, "
            "package",
            view_key_names[key]);
    if (arguments->all) {
        arguments->shape.depth = 0;
        arguments->threshold = 0;
        arguments->report.view.limit = 0;
    }
    arguments->shape.smallest = arguments->threshold / 100;
    /* Inverted, what was inlined into several functions is one branch. */
    arguments->report.smallest = arguments->shape.inverted ? 0 : arguments->shape.smallest;
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &arguments->report;
        return 0;
    case OPTION_INVERTED:
        arguments->shape.inverted = true;
        return 0;
    case OPTION_DEPTH:
        parse_depth(state, arguments, text);
        return 0;
    case OPTION_THRESHOLD:
        parse_threshold(state, arguments, text);
        return 0;
    case OPTION_ALL:
        arguments->all = true;
        return 0;
    case ARGP_KEY_SUCCESS:
        finish(state, arguments);
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

static const struct argp_child children[] = {{&report_argp, 0, NULL, 0}, {0}};
static const struct argp argp = {.options = options,
    .parser = parse,
    .args_doc = "[TRACE]",
    .doc = "The call tree that the memory was allocated in.",
    .children = children};

static int print(
    const struct report *report, const struct tree *tree, const struct arguments *arguments)
{
    struct tree_report about = {.report = report,
        .tree = tree,
        .inverted = arguments->shape.inverted,
        .smallest = arguments->shape.smallest,
        .unfolded = arguments->all};
    FILE *file = output_open(report->options.output);
    if (!file)
        return 1;
    if (report->options.format == FORMAT_JSON)
        tree_json(file, &about);
    else if (report->options.format == FORMAT_CSV)
        tree_csv(file, &about);
    else
        tree_text(file, &about);
    return 0;
}

int cmd_tree(int argc, char **argv)
{
    struct arguments arguments = {.shape.depth = 100, .threshold = 1};
    struct report report;
    struct tree tree;
    report_defaults(&arguments.report);
    arguments.report.view.key = VIEW_LINENO;
    arguments.report.stacks = true;
    if (argp_parse(&argp, argc, argv, 0, NULL, &arguments))
        return 2;
    report.options = arguments.report;
    if (!report_open(&report))
        return 1;
    int status = 1;
    enum view_error failed =
        tree_make(&tree, &report.trace, &report.options.view, &arguments.shape);
    if (failed == VIEW_OK) {
        explain_empty(&tree.view);
        status = print(&report, &tree, &arguments);
    } else
        explain_view(&report, &tree.view, failed);
    tree_free(&tree);
    report_close(&report);
    return status;
}
