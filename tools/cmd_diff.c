/*
 * `memtrace diff`: what two runs, or two moments of one, differ in.
 */
#include "commands.h"

#include <argp.h>
#include <stdlib.h>
#include <string.h>

#include "render/diff.h"
#include "render/moments.h"
#include "render/output.h"
#include "render/report.h"

enum { TRACES = 64, STATUS_GREW = 3 };

struct arguments {
    struct report_options report;
    const char *traces[TRACES]; /* the old ones, then the new one */
    size_t n_traces, n_noise;
    const char *noise[TRACES];
    struct moment old_at;
    bool has_old_at, moved;
    const char *fail_above; /* as given; NULL: never */
    double most;            /* bytes, or a part of the old total */
    bool is_part;
};

enum { OPTION_OLD_AT = 1000, OPTION_MOVED, OPTION_NOISE, OPTION_FAIL_ABOVE };

static const struct argp_option options[] = {
    {"old-at", OPTION_OLD_AT, "MOMENT", 0,
        "The moment of OLD, if it is another one than --at; with one trace, that of both", 0},
    {"moved", OPTION_MOVED, NULL, 0,
        "Lines are the same if function and text are, whatever their numbers", 0},
    {"noise", OPTION_NOISE, "TRACE", 0,
        "A further run of OLD: what differs no more than these do is noise; may be repeated", 0},
    {"fail-above", OPTION_FAIL_ABOVE, "SIZE|PERCENT", 0,
        "Exit with status 3 if the total grew by more than this: 500KiB, 10MiB, 5%", 0},
    {0},
};

static void parse_fail_above(struct argp_state *state, struct arguments *arguments, char *text)
{
    char *end;
    double number = strtod(text, &end);
    end += strspn(end, " ");
    arguments->fail_above = text;
    arguments->is_part = strcmp(end, "%") == 0;
    arguments->most = arguments->is_part ? number * 0.01 : format_parse_size(text);
    if (end == text || !(arguments->most >= 0))
        argp_error(
            state, "--fail-above takes a size or percents, such as 10MiB or 5%%, not '%s'", text);
}

static void add_trace(struct argp_state *state, struct arguments *arguments, char *path, bool noise)
{
    size_t *n = noise ? &arguments->n_noise : &arguments->n_traces;
    if (arguments->n_traces + arguments->n_noise == TRACES)
        argp_error(state, "%d traces at most can be compared: %s is one too many", TRACES, path);
    (noise ? arguments->noise : arguments->traces)[(*n)++] = path;
}

/* Noise is more of the old runs: it comes before the new one. */
static void finish(struct argp_state *state, struct arguments *arguments)
{
    size_t n = arguments->n_traces, more = arguments->n_noise;
    if (n < 2 && !arguments->has_old_at)
        argp_error(state, "two traces are wanted, OLD and NEW, or one and --old-at MOMENT");
    if (n < 2) {
        arguments->traces[1] = arguments->traces[0];
        arguments->n_traces = n = 2;
    }
    if (n + more > TRACES)
        argp_error(state, "%d traces at most can be compared", TRACES);
    arguments->traces[n - 1 + more] = arguments->traces[n - 1];
    memcpy(&arguments->traces[n - 1], arguments->noise, more * sizeof *arguments->noise);
    arguments->n_traces = n + more;
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &arguments->report;
        return 0;
    case OPTION_OLD_AT:
        if (!moment_parse(&arguments->old_at, text))
            argp_error(state, "'%s' is no moment; there are: %s", text, moment_choices());
        arguments->has_old_at = true;
        return 0;
    case OPTION_MOVED:
        arguments->moved = true;
        return 0;
    case OPTION_NOISE:
        add_trace(state, arguments, text, true);
        return 0;
    case OPTION_FAIL_ABOVE:
        parse_fail_above(state, arguments, text);
        return 0;
    case ARGP_KEY_ARG:
        add_trace(state, arguments, text, false);
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
    .args_doc = "OLD... NEW\nTRACE --old-at MOMENT",
    .doc = "What two runs of a program, or two moments of one, differ in.",
    .children = children};

/* ---- the views ---- */

struct sides {
    struct report reports[TRACES];
    struct view_options options[TRACES];
    struct view views[TRACES];
    struct diff_side sides[TRACES];
    struct moment moments[TRACES]; /* that reports are of without --old-at */
    bool borrowed[TRACES];         /* the trace is that of a side before */
    size_t n, opened;
};

/* Both may be NULL: the newest. */
static bool is_same(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

/* A trace that is there twice is read once. */
static bool open_report(struct sides *sides, const struct arguments *arguments, size_t i)
{
    struct report *report = &sides->reports[i];
    for (size_t k = 0; k < i && !sides->borrowed[i]; k++) {
        if (is_same(arguments->traces[k], arguments->traces[i])) {
            *report = sides->reports[k];
            report->options.view.moment = sides->moments[k];
            sides->borrowed[i] = true;
        }
    }
    if (sides->borrowed[i])
        return true;
    report->options = arguments->report;
    report->options.trace = arguments->traces[i];
    return report_open(report);
}

static bool open_side(struct sides *sides, const struct arguments *arguments, size_t i)
{
    struct report *report = &sides->reports[i];
    if (!open_report(sides, arguments, i))
        return false;
    sides->opened++;
    sides->moments[i] = report->options.view.moment;
    bool is_new = i + 1 == arguments->n_traces;
    if (arguments->has_old_at && !is_new)
        report->options.view.moment = arguments->old_at;
    sides->options[i] = report->options.view;
    sides->options[i].limit = 0;
    sides->options[i].unsorted = report->options.format == FORMAT_TEXT; /* which has no `via` */
    sides->options[i].unmerged = true; /* rows are told by what they read */
    enum view_error error = view_make(&sides->views[i], &report->trace, &sides->options[i]);
    sides->n++;
    if (error != VIEW_OK)
        explain_view(report, &sides->views[i], error);
    sides->sides[i] = (struct diff_side){report, &sides->views[i]};
    return error == VIEW_OK;
}

/* The options are the same in all, and freed with the first. */
static void close_sides(struct sides *sides)
{
    for (size_t i = 0; i < sides->n; i++)
        view_free(&sides->views[i]);
    for (size_t i = sides->opened; i-- > 0;) {
        if (sides->borrowed[i])
            continue;
        if (i)
            report_forget_options(&sides->reports[i]);
        report_close(&sides->reports[i]);
    }
}

/* ---- the comparison ---- */

static bool grew(const struct arguments *arguments, const struct diff *diff)
{
    const struct diff_row *total = &diff->total;
    double most = arguments->most;
    if (arguments->is_part)
        most *= (double)(total->metric - total->change);
    return arguments->fail_above && total->kind != DIFF_NOISE && (double)total->change > most;
}

static void say_grew(const struct arguments *arguments, const struct diff *diff)
{
    static const char *const what[VIEW_SORTS] = {
        "live memory", "the number of blocks", "what was allocated", "the number of allocations"};
    const struct diff_row *total = &diff->total;
    enum view_sort sort = arguments->report.view.sort;
    bool blocks = sort == VIEW_COUNT || sort == VIEW_CHURN_COUNT;
    int64_t before = total->metric - total->change;
    char change[FORMAT_SIZE], percent[32] = "";
    if (before)
        snprintf(
            percent, sizeof percent, " (%+.1f%%)", 100 * (double)total->change / (double)before);
    if (blocks)
        snprintf(change, sizeof change, "%+lld", (long long)total->change);
    else
        format_change(change, total->change, arguments->report.units);
    message("%s grew by %s%s, more than --fail-above %s", what[sort], change + 1, percent,
        arguments->fail_above);
}

static int print(const struct diff_report *about, const struct report_options *chosen)
{
    FILE *file = output_open(chosen->output);
    if (!file)
        return 1;
    if (chosen->format == FORMAT_JSON)
        diff_json(file, about);
    else if (chosen->format == FORMAT_CSV)
        diff_csv(file, about);
    else
        diff_text(file, about);
    return 0;
}

static int compare(const struct sides *sides, const struct arguments *arguments)
{
    const struct view *old[TRACES];
    struct diff diff;
    for (size_t i = 0; i + 1 < sides->n; i++)
        old[i] = &sides->views[i];
    diff_make(&diff, old, sides->n - 1, &sides->views[sides->n - 1], arguments->moved,
        arguments->report.view.limit);
    struct diff_report about = {.diff = &diff,
        .sides = sides->sides,
        .n_sides = sides->n,
        .moved = arguments->moved,
        .failed = grew(arguments, &diff)};
    int status = print(&about, &arguments->report);
    if (about.failed)
        say_grew(arguments, &diff);
    diff_free(&diff);
    return status ? status : about.failed ? STATUS_GREW : 0;
}

int cmd_diff(int argc, char **argv)
{
    static struct sides sides;
    struct arguments arguments = {0};
    report_defaults(&arguments.report);
    if (argp_parse(&argp, argc, argv, 0, NULL, &arguments))
        return 2;
    bool good = true;
    for (size_t i = 0; good && i < arguments.n_traces; i++) {
        arguments.report.may_be_native = i == 0; /* the first one's key is that of all */
        good = open_side(&sides, &arguments, i);
        if (i == 0 && good)
            arguments.report.view.key = sides.options[0].key;
    }
    int status = good ? compare(&sides, &arguments) : 1;
    close_sides(&sides);
    return status;
}
