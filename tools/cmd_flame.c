/*
 * `memtrace flame`: a flame graph, as a page or as a picture.
 */
#include "commands.h"

#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "render/flame.h"
#include "render/moments.h"
#include "render/output.h"
#include "render/save.h"

enum kind { KIND_UNKNOWN, KIND_HTML, KIND_SVG };

struct arguments {
    struct report_options report;
    struct flame flame;
    enum kind kind;
};

enum { OPTION_INVERTED = 1000, OPTION_SPLIT, OPTION_TITLE, OPTION_WIDTH, OPTION_FORMAT };

static const struct argp_option own_options[] = {
    {"format", OPTION_FORMAT, "FORMAT", 0, "html (default) or svg, whatever the suffix of -o", 0},
    {"inverted", OPTION_INVERTED, NULL, 0, "From the allocating lines to who called them", 0},
    {"split", OPTION_SPLIT, "WHAT", 0, "A graph for each process or thread, in one", 0},
    {"title", OPTION_TITLE, "TEXT", 0, "Title instead of the command", 0},
    {"width", OPTION_WIDTH, "PIXELS", 0, "Of the picture (1200)", 0},
    {0},
};

static enum kind kind_of(const char *name)
{
    return strcmp(name, "html") == 0  ? KIND_HTML
           : strcmp(name, "svg") == 0 ? KIND_SVG
                                      : KIND_UNKNOWN;
}

static void parse_split(struct argp_state *state, struct arguments *arguments, const char *text)
{
    if (strcmp(text, "process") != 0 && strcmp(text, "thread") != 0)
        argp_error(state, "--split %s: there are process and thread", text);
    arguments->flame.shape.split = *text == 'p' ? TREE_BY_PROCESS : TREE_BY_THREAD;
}

static void parse_width(struct argp_state *state, struct arguments *arguments, const char *text)
{
    int end = 0;
    if (sscanf(text, "%d%n", &arguments->flame.width, &end) != 1 || text[end] ||
        arguments->flame.width < 200 || arguments->flame.width > 20000)
        argp_error(state, "--width %s: a number from 200 to 20000 is wanted", text);
}

static void parse_end(struct argp_state *state, const struct arguments *arguments)
{
    enum view_key key = arguments->report.view.key;
    if (!view_key_has_frames(key))
        argp_error(state,
            "--key %s makes no graph%s; there are: caller, lineno, filename, function, module, "
            "package",
            view_key_names[key],
            key == VIEW_THREAD || key == VIEW_PROCESS ? " (but --split does)" : "");
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    switch (key) {
    case OPTION_FORMAT:
        arguments->kind = kind_of(text);
        if (arguments->kind == KIND_UNKNOWN)
            argp_error(state, "'%s' is no format; there are: html, svg", text);
        return 0;
    case OPTION_INVERTED:
        arguments->flame.shape.inverted = true;
        return 0;
    case OPTION_SPLIT:
        parse_split(state, arguments, text);
        return 0;
    case OPTION_TITLE:
        arguments->flame.title = text;
        return 0;
    case OPTION_WIDTH:
        parse_width(state, arguments, text);
        return 0;
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &arguments->report;
        return 0;
    case ARGP_KEY_END:
        parse_end(state, arguments);
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

/* memtrace-app.4242.mtrace makes memtrace-app.4242.html, here; the caller frees it. */
static char *default_output(const char *trace, enum kind kind)
{
    const char *slash = strrchr(trace, '/'), *name = slash ? slash + 1 : trace;
    const char *dot = strrchr(name, '.');
    int length = dot && strcmp(dot, ".mtrace") == 0 ? (int)(dot - name) : (int)strlen(name);
    char *path;
    if (asprintf(&path, "%.*s.%s", length, name, kind == KIND_SVG ? "svg" : "html") < 0)
        abort();
    return path;
}

static bool make_svg(FILE *file, const struct flame *flame)
{
    const struct report *report = flame->report;
    struct tree tree;
    struct tree_options shape = flame->shape;
    shape.smallest = 0.4 / flame->width;
    enum view_error error = tree_make(&tree, &report->trace, &report->options.view, &shape);
    if (error == VIEW_OK)
        flame_svg(file, flame, &tree);
    else
        explain_view(report, &tree.view, error);
    tree_free(&tree);
    return error == VIEW_OK;
}

static bool make_page(FILE *file, const struct flame *flame)
{
    const struct report *report = flame->report;
    const char *looked = "";
    struct view view;
    enum view_error error = view_open(&view, &report->trace, &report->options.view);
    bool good = error == VIEW_OK;
    if (good) {
        good = flame_page(file, flame, &view, &looked);
        if (!good)
            message(
                "%s: the page's template is not there: is memtrace installed as a whole?", looked);
    } else
        explain_view(report, &view, error);
    view_free(&view);
    return good;
}

/* In memory first, so that there is no half of a page. */
static bool show(const struct arguments *arguments)
{
    const struct report *report = arguments->flame.report;
    const char *wanted = report->options.output;
    char *text = NULL;
    size_t size;
    FILE *memory = open_memstream(&text, &size);
    if (!memory)
        abort();
    bool good = arguments->kind == KIND_SVG ? make_svg(memory, &arguments->flame)
                                            : make_page(memory, &arguments->flame);
    if (fclose(memory) != 0)
        abort();
    if (good && output_is_stdout(wanted)) {
        fwrite(text, 1, size, output_open(wanted));
        free(text);
        return true;
    }
    char *path = wanted ? strdup(wanted) : default_output(report->trace.path, arguments->kind);
    if (good && !save_file(path, text, size)) {
        message("%s: cannot be written: %s", path, strerror(errno));
        good = false;
    }
    if (good)
        output_tell(path);
    free(path);
    free(text);
    return good;
}

/* Without --format: by the suffix of -o, else a page. */
static bool choose_kind(struct arguments *arguments)
{
    const char *output = arguments->report.output, *dot = output ? strrchr(output, '.') : NULL;
    if (arguments->kind == KIND_UNKNOWN)
        arguments->kind = !output || output_is_stdout(output) ? KIND_HTML
                          : dot                               ? kind_of(dot + 1)
                                                              : KIND_UNKNOWN;
    if (arguments->kind == KIND_UNKNOWN)
        message("%s: the suffix says what to write, .html or .svg (or use --format)", output);
    else if (dot && strcmp(dot, ".mtrace") == 0) {
        message("%s: traces are not overwritten with a graph; give another file", output);
        return false;
    }
    return arguments->kind != KIND_UNKNOWN;
}

int cmd_flame(int argc, char **argv)
{
    static const char *const left_out[] = {
        "cumulative", "limit", "frames", "source", "format", NULL};
    struct report_argp common;
    report_argp_without(&common, left_out);
    const struct argp_child children[] = {{&common.argp, 0, NULL, 0}, {0}};
    const struct argp argp = {.options = own_options,
        .parser = parse,
        .args_doc = "[TRACE]",
        .doc = "A flame graph of what a traced program holds: a page that can be searched and "
               "asked, without the network, or a picture.",
        .children = children};
    struct arguments arguments = {.flame = {.width = 1200}};
    struct report report;
    report_defaults(&arguments.report);
    arguments.report.stacks = true;
    arguments.report.view.key = VIEW_LINENO;
    if (argp_parse(&argp, argc, argv, 0, NULL, &arguments) || !choose_kind(&arguments))
        return 2;
    report.options = arguments.report;
    if (!report_open(&report))
        return 1;
    arguments.flame.report = &report;
    bool good = show(&arguments);
    report_close(&report);
    return good ? 0 : 1;
}
