/*
 * `memtrace plot`: memory over time, as a picture, on the terminal or as data.
 * Runs on its own, outside any traced program.
 *
 * `--format gnuplot`, which no help text lists, prints the script of the
 * picture as it goes to gnuplot: for tests, and for who wants to change it.
 */
#include "commands.h"

#include <argp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "render/gap.h"
#include "render/output.h"
#include "render/plot.h"
#include "render/plot_draw.h"
#include "render/report.h"

#define FORMATS_KNOWN "png, svg, pdf, text, csv and json"
#define SUFFIXES_KNOWN ".png, .svg, .pdf, .txt, .csv and .json"

struct arguments {
    struct plot_options plot;
    struct report_options report; /* key and filters, for each trace */
    const char *traces[PLOT_TRACES];
    size_t n_traces;
    const char *output;
    enum plot_kind kind;
    int width, height; /* pixels, or characters of a terminal; 0: the default */
};

enum {
    OPTION_FORMAT = 1000,
    OPTION_TITLE,
    OPTION_SIZE,
    OPTION_WINDOW,
    OPTION_KEY,
    OPTION_LIMIT,
    OPTION_MINE,
    OPTION_PROCESS,
    OPTION_SUM,
    OPTION_SLOPE,
    OPTION_UNITS
};

static const struct argp_option options[] = {
    {"output", 'o', "FILE", 0, "Write to FILE; its suffix says what: " SUFFIXES_KNOWN, 0},
    {"terminal", 't', NULL, 0, "Draw with characters on standard output", 0},
    {"format", OPTION_FORMAT, "FORMAT", 0, "One of " FORMATS_KNOWN, 0},
    {"title", OPTION_TITLE, "TEXT", 0, "Title of the plot instead of the command", 0},
    {"size", OPTION_SIZE, "WxH", 0,
        "Size in pixels (1200x700), of a terminal in characters (what it has)", 0},
    {"window", OPTION_WINDOW, "A,B", 0, "From A to B seconds only", 0},
    {"key", OPTION_KEY, "KEY", 0,
        "Stack the biggest by KEY instead of Python and native: caller, lineno, filename, "
        "function, module, package, domain, thread, process or native-frame",
        0},
    {"limit", OPTION_LIMIT, "N", 0, "How many --key stacks, at most 12 (5)", 0},
    {"mine", OPTION_MINE, "PATTERN", 0, "Files that callers are looked for in; may be repeated", 0},
    {"process", OPTION_PROCESS, "PID|NAME", 0, "Only this process; may be repeated", 0},
    {"sum", OPTION_SUM, NULL, 0, "The sum of the processes, no line for each", 0},
    {"slope", OPTION_SLOPE, NULL, 0, "How fast RSS and live memory grow after warm-up", 0},
    {"units", OPTION_UNITS, "UNIT", 0, "Sizes in KiB or B, or auto (default)", 0}, {0}};

static enum plot_kind kind_of(const char *name)
{
    for (int kind = 0; kind < PLOT_KINDS; kind++)
        if (strcasecmp(name, plot_kind_names[kind]) == 0)
            return kind;
    return strcasecmp(name, "txt") == 0 ? KIND_TEXT : PLOT_NONE;
}

static void parse_size(struct arguments *arguments, const char *text, struct argp_state *state)
{
    int end = 0;
    if (sscanf(text, "%dx%d%n", &arguments->width, &arguments->height, &end) != 2 || text[end])
        argp_error(state, "--size %s: two numbers are wanted, such as 1200x700", text);
    if (arguments->width < 1 || arguments->width > 10000 || arguments->height < 1 ||
        arguments->height > 10000)
        argp_error(state, "--size %s: from 1 to 10000", text);
}

static void parse_window(struct plot_options *plot, const char *text, struct argp_state *state)
{
    char *comma, *end;
    plot->from_s = strtod(text, &comma);
    plot->to_s = *comma == ',' ? strtod(comma + 1, &end) : 0;
    if (comma == text || *comma != ',' || end == comma + 1 || *end)
        argp_error(state, "--window %s: two times in seconds are wanted, such as 5,10", text);
    if (!(plot->from_s >= 0 && plot->from_s < plot->to_s))
        argp_error(state, "--window %s: the second time must be the later one", text);
    plot->windowed = true;
}

static void parse_key(struct argp_state *state, struct arguments *arguments, const char *text)
{
    int key = 0;
    while (key < VIEW_KEYS && strcmp(view_key_name(text), view_key_names[key]) != 0)
        key++;
    if (key == VIEW_KEYS || key == VIEW_TRACEBACK)
        argp_error(state,
            "--key %s: no key that can be stacked; there are: caller, lineno, "
            "filename, function, module, package, domain, thread, process, native-frame",
            text);
    arguments->report.view.key = (enum view_key)key;
    arguments->plot.stacked = true;
}

static void parse_limit(struct argp_state *state, struct arguments *arguments, const char *text)
{
    int number, end = 0;
    if (sscanf(text, "%d%n", &number, &end) != 1 || text[end] || number < 1 ||
        number > PLOT_STACKED)
        argp_error(state, "--limit %s: a number from 1 to %d is wanted", text, PLOT_STACKED);
    arguments->plot.limit = (size_t)number;
}

static void add_trace(struct argp_state *state, struct arguments *arguments, const char *path)
{
    if (arguments->n_traces == PLOT_TRACES)
        argp_error(
            state, "%d traces at most can be told apart: %s is one too many", PLOT_TRACES, path);
    arguments->traces[arguments->n_traces++] = path;
}

static error_t parse_what(int key, char *value, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    switch (key) {
    case OPTION_KEY:
        parse_key(state, arguments, value);
        return 0;
    case OPTION_LIMIT:
        parse_limit(state, arguments, value);
        return 0;
    case OPTION_MINE:
        report_add_mine(&arguments->report, value);
        return 0;
    case OPTION_PROCESS:
        filter_add_process(&arguments->report.view.filter, value);
        return 0;
    case OPTION_SUM:
        arguments->plot.sum = true;
        return 0;
    case OPTION_SLOPE:
        arguments->plot.slope = true;
        return 0;
    case OPTION_UNITS:
        arguments->plot.units = report_choose_units(state, value);
        return 0;
    case ARGP_KEY_ARG:
        add_trace(state, arguments, value);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse_option(int key, char *value, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    switch (key) {
    case 'o':
        arguments->output = value;
        return 0;
    case 't':
        arguments->kind = KIND_TEXT;
        return 0;
    case OPTION_FORMAT:
        arguments->kind = kind_of(value);
        if (arguments->kind == PLOT_NONE)
            argp_error(state, "--format %s is not known; there are " FORMATS_KNOWN, value);
        return 0;
    case OPTION_TITLE:
        arguments->plot.title = value;
        return 0;
    case OPTION_SIZE:
        parse_size(arguments, value, state);
        return 0;
    case OPTION_WINDOW:
        parse_window(&arguments->plot, value, state);
        return 0;
    default:
        return parse_what(key, value, state);
    }
}

/* Without --format: by the suffix of -o, else a drawing on a terminal, else a picture. */
static bool choose_kind(struct arguments *arguments)
{
    if (arguments->kind != PLOT_NONE)
        return true;
    if (!arguments->output) {
        bool picture = arguments->n_traces > 1 || arguments->plot.stacked || arguments->plot.slope;
        arguments->kind = isatty(STDOUT_FILENO) && !picture ? KIND_TEXT : KIND_PNG;
        return true;
    }
    const char *dot = strrchr(arguments->output, '.');
    arguments->kind = dot && !strchr(dot, '/') ? kind_of(dot + 1) : PLOT_NONE;
    if (arguments->kind == PLOT_NONE || arguments->kind == KIND_GNUPLOT)
        message("%s: the suffix says what to write, and there are " SUFFIXES_KNOWN
                " (or use --format)",
            arguments->output);
    return arguments->kind != PLOT_NONE && arguments->kind != KIND_GNUPLOT;
}

static bool write_data(const struct report *reports, const struct arguments *arguments)
{
    size_t n = arguments->n_traces;
    if (arguments->kind == KIND_JSON && n > 1) {
        message("JSON is of one trace at a time; CSV may be of several");
        return false;
    }
    FILE *out = output_open(arguments->output);
    if (!out)
        return false;
    for (size_t i = 0; arguments->kind == KIND_CSV && i < n; i++)
        gap_warn(&reports[i].trace);
    if (arguments->kind == KIND_CSV)
        plot_csv(out, reports, n, &arguments->plot);
    else
        plot_json(out, reports, &arguments->plot);
    return true;
}

static void explain(
    const struct report *report, const struct arguments *arguments, enum plot_error error)
{
    const char *path = report->trace.path;
    if (error == PLOT_ERROR_MEMORY)
        message("%s: not enough memory", path);
    else if (error == PLOT_ERROR_EMPTY)
        message("%s: nothing to draw: the program ended before its memory was first sampled; "
                "`memtrace top` has its peak",
            path);
    else if (error == PLOT_ERROR_PROCESS)
        message("%s: no such process in it; `memtrace top --key process` lists them", path);
    else if (error == PLOT_ERROR_WINDOW)
        message(
            "%s: no sample from %g to %g s", path, arguments->plot.from_s, arguments->plot.to_s);
}

static bool draw(const struct report *reports, const struct arguments *arguments)
{
    struct plot plots[PLOT_TRACES] = {{0}};
    bool good = true;
    for (size_t i = 0; good && i < arguments->n_traces; i++) {
        enum plot_error error = plot_make(&plots[i], &reports[i], &arguments->plot);
        good = error == PLOT_OK;
        explain(&reports[i], arguments, error);
    }
    struct plot_drawing drawing = {plots, arguments->n_traces, arguments->plot.title,
        arguments->kind, arguments->output, arguments->width, arguments->height};
    good = good && plot_draw(&drawing);
    for (size_t i = 0; i < arguments->n_traces; i++)
        plot_free(&plots[i]);
    return good;
}

/* The filter is the same one in all reports, and freed with the first. */
static bool plot_traces(struct arguments *arguments)
{
    struct report reports[PLOT_TRACES];
    size_t opened = 0;
    bool good = true;
    if (!arguments->n_traces)
        arguments->n_traces = 1;
    for (; good && opened < arguments->n_traces; opened += good) {
        reports[opened].options = arguments->report;
        reports[opened].options.trace = arguments->traces[opened];
        good = report_open(&reports[opened]);
    }
    if (good) {
        bool data = arguments->kind == KIND_CSV || arguments->kind == KIND_JSON;
        good = data ? write_data(reports, arguments) : draw(reports, arguments);
    }
    while (opened--) {
        if (opened)
            report_forget_options(&reports[opened]);
        report_close(&reports[opened]);
    }
    return good;
}

/* What cannot be shown together. */
static bool check(const struct arguments *arguments)
{
    const char *wrong = NULL;
    if (arguments->n_traces > 1 && arguments->plot.stacked)
        wrong = "--key is of one trace at a time";
    else if (arguments->n_traces > 1 && arguments->kind == KIND_TEXT)
        wrong = "several traces are drawn into pictures: give -o FILE.png";
    else if (arguments->kind == KIND_TEXT && (arguments->plot.stacked || arguments->plot.slope))
        wrong = "--key and --slope are for pictures and data: give -o FILE.png";
    if (wrong)
        message("%s", wrong);
    return !wrong;
}

int cmd_plot(int argc, char **argv)
{
    static const struct argp parser = {options, parse_option, "[TRACE...]",
        "Resident set size and live memory over time.\v"
        "On a terminal it draws there.  Otherwise it writes a picture, to TRACE's name with .png "
        "in the current directory unless -o says where, and prints the name.  Several traces are "
        "laid over each other.",
        NULL, NULL, NULL};
    struct arguments arguments = {.plot = {.points = 4000, .limit = 5}, .kind = PLOT_NONE};
    report_defaults(&arguments.report);
    argp_parse(&parser, argc, argv, 0, NULL, &arguments);
    if (!choose_kind(&arguments) || !check(&arguments))
        return 2;
    return plot_traces(&arguments) ? 0 : 1;
}
