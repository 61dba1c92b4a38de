/*
 * `memtrace list`: the traces of a directory.
 */
#include "commands.h"

#include <argp.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#include "render/input.h"
#include "render/list.h"
#include "render/output.h"
#include "render/report.h"

struct arguments {
    const char *directory, *output;
    enum report_format format;
    enum units units;
};

enum { OPTION_FORMAT = 1000, OPTION_UNITS };

static const struct argp_option options[] = {
    {"units", OPTION_UNITS, "UNIT", 0, "Sizes in KiB or B, or auto (default)", 0},
    {"format", OPTION_FORMAT, "FORMAT", 0, "text (default), json or csv", 0},
    {"output", 'o', "FILE", 0, "Write to FILE", 0},
    {0},
};

static error_t parse(int key, char *text, struct argp_state *state)
{
    static const char *const formats[] = {"text", "json", "csv"};
    struct arguments *arguments = state->input;
    switch (key) {
    case OPTION_FORMAT:
        arguments->format = (enum report_format)report_choose(state, "format", text, formats, 3);
        return 0;
    case OPTION_UNITS:
        arguments->units = report_choose_units(state, text);
        return 0;
    case 'o':
        arguments->output = text;
        return 0;
    case ARGP_KEY_ARG:
        if (arguments->directory)
            argp_error(state, "one directory at a time, not '%s' as well", text);
        arguments->directory = text;
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

static const struct argp argp = {.options = options,
    .parser = parse,
    .args_doc = "[DIRECTORY]",
    .doc = "The traces of a directory, the newest first."};

static int print(const struct arguments *arguments, const struct list *list)
{
    FILE *file = output_open(arguments->output);
    if (!file)
        return 1;
    if (arguments->format == FORMAT_JSON)
        list_json(file, list);
    else if (arguments->format == FORMAT_CSV)
        list_csv(file, list);
    else
        list_text(file, list);
    return 0;
}

int cmd_list(int argc, char **argv)
{
    struct arguments arguments = {0};
    struct found *found;
    struct timespec now;
    size_t n;
    if (argp_parse(&argp, argc, argv, 0, NULL, &arguments))
        return 2;
    const char *directory = arguments.directory ? arguments.directory : input_directory();
    if (found_in(directory, &found, &n) != 0) {
        message("%s: %s; give a directory", directory, strerror(errno));
        return 1;
    }
    if (!n)
        message("no *.mtrace in %s; `memtrace run PROGRAM` writes one",
            strcmp(directory, ".") != 0 ? directory : "this directory");
    clock_gettime(CLOCK_REALTIME, &now);
    struct list list = {.found = found,
        .n = n,
        .now = (double)now.tv_sec + (double)now.tv_nsec / 1e9,
        .units = arguments.units};
    int status = print(&arguments, &list);
    found_free(found, n);
    return status;
}
