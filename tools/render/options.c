/*
 * The options that all reports about a view have.  Runs in the tools.
 */
#include "render/report.h"

#include <stdlib.h>
#include <string.h>

enum {
    OPTION_AT = 256,
    OPTION_FROM,
    OPTION_TO,
    OPTION_KEY,
    OPTION_SORT,
    OPTION_LIMIT,
    OPTION_CUMULATIVE,
    OPTION_FRAMES,
    OPTION_PATHS,
    OPTION_SOURCE,
    OPTION_MINE,
    OPTION_INCLUDE,
    OPTION_EXCLUDE,
    OPTION_ALL_FRAMES,
    OPTION_DOMAIN,
    OPTION_PROCESS,
    OPTION_THREAD,
    OPTION_UNITS,
    OPTION_FORMAT
};

static const struct argp_option options[] = {
    {"at", OPTION_AT, "MOMENT", 0,
        "The moment: end (default), peak, start, now, mark:NAME, mark:NAME#3, 12.5 or -30 (seconds "
        "from the start, from the end), 14:03:20",
        1},
    {"from", OPTION_FROM, "MOMENT", 0, "Only what was allocated after this moment", 1},
    {"to", OPTION_TO, "MOMENT", 0, "... and is live at this one: the same as --at", 1},
    {"key", OPTION_KEY, "KEY", 0,
        "Group by caller (the default, but of tree and of what is not Python), lineno, filename, "
        "function, module, package, traceback, "
        "domain, thread, process or native-frame (native for short)",
        1},
    {"sort", OPTION_SORT, "METRIC", 0,
        "Sort by size (default), count, churn-size or churn-count (all ever allocated)", 1},
    {"limit", OPTION_LIMIT, "N", 0, "Rows to show, 0 for all (10)", 1},
    {"cumulative", OPTION_CUMULATIVE, NULL, 0, "Count a block for each line on its stack", 1},
    {"frames", OPTION_FRAMES, "N", 0, "Frames of a traceback to show, 0 for all (8)", 1},
    {"mine", OPTION_MINE, "PATTERN", 0, "Files that callers are looked for in; may be repeated", 1},
    {"include", OPTION_INCLUDE, "PATTERN[:LINE]", 0,
        "Only blocks allocated in files like this; may be repeated", 2},
    {"exclude", OPTION_EXCLUDE, "PATTERN[:LINE]", 0,
        "No blocks allocated in files like this; may be repeated", 2},
    {"all-frames", OPTION_ALL_FRAMES, NULL, 0, "Match these with any frame of a stack", 2},
    {"domain", OPTION_DOMAIN, "DOMAIN", 0,
        "Only python, native, mapped, raw, mem, obj, malloc, mmap, file, arena or inherited; may "
        "be "
        "repeated",
        2},
    {"process", OPTION_PROCESS, "PID|NAME", 0, "Only this process; may be repeated", 2},
    {"thread", OPTION_THREAD, "TID|NAME", 0, "Only this thread; may be repeated", 2},
    {"paths", OPTION_PATHS, "STYLE", 0, "File names: short (default), relative or full", 3},
    {"source", OPTION_SOURCE, "FROM=TO", 0,
        "Look for the source of files below FROM below TO; may be repeated", 3},
    {"units", OPTION_UNITS, "UNIT", 0, "Sizes in KiB or B, or auto (default)", 3},
    {"format", OPTION_FORMAT, "FORMAT", 0, "text (default), json or csv", 3},
    {"output", 'o', "FILE", 0, "Write to FILE", 3},
    {0},
};

int report_choose(struct argp_state *state, const char *what, const char *text,
    const char *const *choices, int count)
{
    char list[256] = "";
    for (int i = 0; i < count; i++)
        if (strcmp(text, choices[i]) == 0)
            return i;
    for (int i = 0; i < count; i++) {
        strcat(list, i ? ", " : "");
        strcat(list, choices[i]);
    }
    argp_error(state, "'%s' is no %s; there are: %s", text, what, list);
    return 0;
}

enum units report_choose_units(struct argp_state *state, const char *text)
{
    static const char *const units[] = {"auto", "KiB", "B"};
    return (enum units)report_choose(state, "unit", text, units, 3);
}

static size_t parse_number(struct argp_state *state, const char *name, const char *text)
{
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 9 || text[digits])
        argp_error(state, "--%s takes a number, not '%s'", name, text);
    return strtoul(text, NULL, 10);
}

void report_add_mine(struct report_options *chosen, char *pattern)
{
    struct view_options *view = &chosen->view;
    view->mine = reallocarray(view->mine, view->n_mine + 1, sizeof *view->mine);
    if (!view->mine)
        abort();
    view->mine[view->n_mine++] = pattern;
}

static void add_source_map(struct argp_state *state, struct report_options *chosen, char *text)
{
    char *equals = strchr(text, '=');
    if (!equals || equals == text)
        argp_error(state, "--source takes FROM=TO, such as /srv/app=., not '%s'", text);
    chosen->source_maps =
        reallocarray(chosen->source_maps, chosen->n_source_maps + 1, sizeof *chosen->source_maps);
    if (!chosen->source_maps)
        abort();
    *equals = 0;
    chosen->source_maps[chosen->n_source_maps++] = (struct source_map){text, equals + 1};
}

static void check(struct argp_state *state, const struct report_options *chosen)
{
    if (chosen->view.cumulative && !view_key_has_frames(chosen->view.key))
        argp_error(
            state, "--cumulative has no meaning with --key %s", view_key_names[chosen->view.key]);
}

static error_t parse_filter(int key, char *text, struct argp_state *state)
{
    struct report_options *chosen = state->input;
    struct filter *filter = &chosen->view.filter;
    switch (key) {
    case OPTION_INCLUDE:
    case OPTION_EXCLUDE:
        filter_add_pattern(filter, text, key == OPTION_EXCLUDE);
        return 0;
    case OPTION_ALL_FRAMES:
        filter->all_frames = true;
        return 0;
    case OPTION_DOMAIN:
        if (!filter_add_domain(filter, text))
            argp_error(state,
                "'%s' is no domain; there are: python, native, mapped, raw, mem, obj, malloc, "
                "mmap, "
                "file, arena, inherited",
                text);
        return 0;
    case OPTION_PROCESS:
        filter_add_process(filter, text);
        return 0;
    case OPTION_THREAD:
        filter_add_thread(filter, text);
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

static error_t parse_look(int key, char *text, struct argp_state *state)
{
    static const char *const formats[] = {"text", "json", "csv"};
    static const char *const styles[] = {"short", "relative", "full"};
    struct report_options *chosen = state->input;
    switch (key) {
    case OPTION_LIMIT:
        chosen->view.limit = parse_number(state, "limit", text);
        return 0;
    case OPTION_FRAMES:
        chosen->frames = parse_number(state, "frames", text);
        return 0;
    case OPTION_PATHS:
        chosen->paths =
            PATHS_SHORT + (unsigned)report_choose(state, "style of paths", text, styles, 3);
        return 0;
    case OPTION_SOURCE:
        add_source_map(state, chosen, text);
        return 0;
    case OPTION_UNITS:
        chosen->units = report_choose_units(state, text);
        return 0;
    case OPTION_FORMAT:
        chosen->format = (enum report_format)report_choose(state, "format", text, formats, 3);
        return 0;
    case 'o':
        chosen->output = text;
        return 0;
    }
    return parse_filter(key, text, state);
}

static void parse_moment(struct argp_state *state, struct moment *moment, const char *text)
{
    if (!moment_parse(moment, text))
        argp_error(state, "'%s' is no moment; there are: %s", text, moment_choices());
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct report_options *chosen = state->input;
    struct view_options *view = &chosen->view;
    switch (key) {
    case OPTION_AT:
    case OPTION_TO:
        parse_moment(state, &view->moment, text);
        chosen->at_given = true;
        return 0;
    case OPTION_FROM:
        parse_moment(state, &view->from, text);
        view->interval = true;
        return 0;
    case OPTION_KEY:
        view->key = (enum view_key)report_choose(
            state, "key", view_key_name(text), view_key_names, VIEW_KEYS);
        chosen->key_given = true;
        return 0;
    case OPTION_SORT:
        view->sort =
            (enum view_sort)report_choose(state, "metric", text, view_sort_names, VIEW_SORTS);
        return 0;
    case OPTION_CUMULATIVE:
        view->cumulative = true;
        return 0;
    case OPTION_MINE:
        report_add_mine(chosen, text);
        return 0;
    case ARGP_KEY_ARG:
        if (chosen->trace)
            argp_error(state, "one trace at a time, not '%s' as well", text);
        chosen->trace = text;
        return 0;
    case ARGP_KEY_END:
        check(state, chosen);
        return 0;
    }
    return parse_look(key, text, state);
}

const struct argp report_argp = {.options = options, .parser = parse};

void report_argp_without(struct report_argp *made, const char *const *left_out)
{
    struct argp_option *to = made->options;
    for (const struct argp_option *from = options; from->name; from++) {
        const char *const *name = left_out;
        while (*name && strcmp(*name, from->name) != 0)
            name++;
        if (!*name)
            *to++ = *from;
    }
    *to = (struct argp_option){0};
    made->argp = (struct argp){.options = made->options, .parser = parse};
}

_Static_assert(sizeof options <= sizeof((struct report_argp *)0)->options, "more room is needed");

void report_defaults(struct report_options *chosen)
{
    memset(chosen, 0, sizeof *chosen);
    chosen->view.limit = 10;
    chosen->frames = 8;
    moment_parse(&chosen->view.moment, "end");
}
