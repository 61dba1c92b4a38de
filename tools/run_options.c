/*
 * Options of `memtrace run` (run_options.h).
 */
#include "run_options.h"

#include <argp.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>

#include "render/format.h"

enum { REPEAT_MOST = 60 }; /* as many as `memtrace diff` compares with another one */

enum {
    OPTION_PYTHON = 256,
    OPTION_INTERVAL,
    OPTION_BEST_EFFORT,
    OPTION_OFF,
    OPTION_NO_CHILDREN,
    OPTION_SYMBOLIZE,
    OPTION_NATIVE,
    OPTION_SAMPLE,
    OPTION_FULL,
    OPTION_GROUP,
    OPTION_SUMMARY,
    OPTION_REPEAT,
    OPTION_PROBE
};

static const struct argp_option options[] = {
    {"output", 'o', "FILE", 0,
        "write the trace to FILE (%n name, %p pid, %h host, %t time); default: "
        "memtrace-%n.%p.mtrace",
        0},
    {NULL, 'm', "MODULE", 0, "run a Python module; the rest are its arguments", 0},
    {NULL, 'c', "CODE", 0, "run Python code; the rest are its arguments", 0},
    {"python", OPTION_PYTHON, "PROGRAM", 0,
        "the interpreter of scripts, modules and code; default: python3", 0},
    {"interval", OPTION_INTERVAL, "MS", 0, "time between samples of RSS; default: 10", 0},
    {"quiet", 'q', NULL, 0, "no summary at the end", 0},
    {"best-effort", OPTION_BEST_EFFORT, NULL, 0,
        "if tracing cannot start, say so and run the program", 0},
    {"off", OPTION_OFF, NULL, 0, "record allocations only after the program calls memtrace.start()",
        0},
    {"no-children", OPTION_NO_CHILDREN, NULL, 0,
        "record the first process alone, not what it forks or starts", 0},
    {"native", OPTION_NATIVE, NULL, 0,
        "record the whole native stack of each native allocation, not its caller alone", 0},
    {"symbolize", OPTION_SYMBOLIZE, NULL, 0,
        "take the time to find the names of all native functions at the end", 0},
    {"sample", OPTION_SAMPLE, "BYTES", OPTION_ARG_OPTIONAL,
        "record a sample of the blocks, one in BYTES on average (default: 512KiB): reports give "
        "estimates and their errors, and the program hardly slows down",
        0},
    {"full", OPTION_FULL, NULL, 0,
        "keep every event in the trace: reports of any second, export --to events; large files", 0},
    {"group", OPTION_GROUP, "NAME", 0, "members of this group may read the trace", 0},
    {"summary", OPTION_SUMMARY, "FILE", 0, "write the summary to FILE too, even with -q", 0},
    {"repeat", OPTION_REPEAT, "N", 0,
        "run it N times, one after the other, and say how much the runs differ", 0},
    {"probe-agent", OPTION_PROBE, NULL, OPTION_HIDDEN, NULL, 0},
    {0},
};

static void take_rest(struct run_options *run, struct argp_state *state, int from)
{
    run->rest = state->argv + from;
    run->n_rest = state->argc - from;
    state->next = state->argc;
}

static unsigned parse_interval(const char *text, struct argp_state *state)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    if (*end || !value || value > 60000) {
        argp_error(state, "--interval: %s is not a number of milliseconds from 1 to 60000", text);
    }
    return (unsigned)value;
}

#define SAMPLE_BYTES (512u << 10)
#define SAMPLE_LEAST 1.0
#define SAMPLE_MOST 0x1p40

static uint64_t parse_sample(const char *text, struct argp_state *state)
{
    double bytes = text ? format_parse_size(text) : SAMPLE_BYTES;
    if (!(bytes >= SAMPLE_LEAST && bytes <= SAMPLE_MOST)) {
        argp_error(state, "--sample: %s is not a number of bytes from 1 to 1TiB", text);
    }
    return (uint64_t)bytes;
}

static gid_t parse_group(const char *text, struct argp_state *state)
{
    const struct group *group = getgrnam(text);
    char *end;
    unsigned long number = strtoul(text, &end, 10);
    if (group) {
        return group->gr_gid;
    }
    if (*end || end == text || number >= RUN_NO_GROUP) {
        argp_error(state, "--group: there is no group %s", text);
    }
    return (gid_t)number;
}

static unsigned parse_repeat(const char *text, struct argp_state *state)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    if (*end || !value || value > REPEAT_MOST) {
        argp_error(state, "--repeat: %s is not a number of runs from 1 to %d", text, REPEAT_MOST);
    }
    return (unsigned)value;
}

static void refuse_program(
    const struct run_options *run, struct argp_state *state, const char *text)
{
    if (run->from_environment) {
        argp_error(
            state, "MEMTRACE_OPTIONS: '%s' is not an option that can be set for all runs", text);
    }
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct run_options *run = state->input;
    switch (key) {
    case 'o':
        run->output = text;
        return 0;
    case 'm':
        refuse_program(run, state, "-m");
        run->module = text;
        take_rest(run, state, state->next);
        return 0;
    case 'c':
        refuse_program(run, state, "-c");
        run->code = text;
        take_rest(run, state, state->next);
        return 0;
    case OPTION_PYTHON:
        run->python = text;
        return 0;
    case OPTION_INTERVAL:
        run->interval_ms = parse_interval(text, state);
        return 0;
    case 'q':
        run->quiet = true;
        return 0;
    case OPTION_BEST_EFFORT:
        run->best_effort = true;
        return 0;
    case OPTION_OFF:
        run->off = true;
        return 0;
    case OPTION_NO_CHILDREN:
        run->no_children = true;
        return 0;
    case OPTION_NATIVE:
        run->native = true;
        return 0;
    case OPTION_SYMBOLIZE:
        run->symbolize = true;
        return 0;
    case OPTION_SAMPLE:
        run->sample_bytes = parse_sample(text, state);
        return 0;
    case OPTION_FULL:
        run->full = true;
        return 0;
    case OPTION_GROUP:
        run->group = parse_group(text, state);
        return 0;
    case OPTION_SUMMARY:
        run->summary = text;
        return 0;
    case OPTION_REPEAT:
        run->repeat = parse_repeat(text, state);
        return 0;
    case OPTION_PROBE:
        run->probe = true;
        return 0;
    case ARGP_KEY_ARG:
        refuse_program(run, state, text);
        take_rest(run, state, state->next - 1);
        return 0;
    case ARGP_KEY_END:
        if (!run->rest && !run->probe && !run->from_environment) {
            argp_error(state, "name a script, a program, -m MODULE or -c CODE");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {options, parse,
    "SCRIPT.py [ARG...]\n-m MODULE [ARG...]\n-c CODE [ARG...]\nPROGRAM [ARG...]",
    "Runs a program and records where its memory goes, in all its processes.\v"
    "A file that ends in .py or .pyz, or a directory with __main__.py, is run by --python; "
    "anything else is a program of the PATH.  The exit status is the program's; 125 to 127 are "
    "memtrace's own failures.",
    NULL, NULL, NULL};

/* `---` ends the options as `--` does, if it stands among them. */
static void accept_dashes(int argc, char **argv)
{
    for (int i = 1; i < argc && argv[i][0] == '-'; i++) {
        if (strcmp(argv[i], "---") == 0) {
            argv[i][2] = 0;
            return;
        }
        if (strcmp(argv[i], "-o") == 0 || strcmp(argv[i], "--output") == 0 ||
            strcmp(argv[i], "--python") == 0 || strcmp(argv[i], "--interval") == 0 ||
            strcmp(argv[i], "--group") == 0 || strcmp(argv[i], "--summary") == 0 ||
            strcmp(argv[i], "--repeat") == 0) {
            i++;
        }
        if (strcmp(argv[i], "--") == 0 || strcmp(argv[i], "-m") == 0 ||
            strcmp(argv[i], "-c") == 0) {
            return;
        }
    }
}

/* The words of MEMTRACE_OPTIONS as arguments, ended by NULL; blanks are between words.  They are
   never freed: options point into them. */
static char **words_of_environment(char *program, int *n)
{
    const char *value = getenv("MEMTRACE_OPTIONS");
    char *text = strdup(value ? value : ""), *rest = NULL;
    char **words = calloc(strlen(text) / 2 + 3, sizeof *words);
    words[0] = program;
    *n = 1;
    for (char *word = strtok_r(text, " \t\n", &rest); word; word = strtok_r(NULL, " \t\n", &rest)) {
        words[(*n)++] = word;
    }
    return words;
}

void run_options_parse(struct run_options *run, int argc, char **argv)
{
    int n;
    char **words = words_of_environment(argv[0], &n);
    argp_err_exit_status = RUN_FAILURE; /* 1 and 2 may be the program's */
    run->from_environment = true;
    argp_parse(&argp, n, words, ARGP_IN_ORDER, NULL, run);
    run->from_environment = false;
    accept_dashes(argc, argv);
    argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, run);
}
