/*
 * memtrace run: starts a program with the agent in it and collects its trace.
 * Nothing of ours goes to stdout; the program's status is ours.
 */
#include "commands.h"

#include <argp.h>
#include <errno.h>
#include <grp.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "collect/launch.h"
#include "collect/place.h"
#include "collect/session.h"
#include "collect/supervise.h"
#include "render/format.h"

#define OWN_FAILURE 125
#define NO_GROUP ((gid_t)-1)

struct run {
    const char *output, *python, *module, *code;
    unsigned interval_ms;
    uint64_t sample_bytes; /* 0: every block is recorded */
    bool full;             /* every event is kept */
    gid_t group;           /* may read the trace; NO_GROUP: nobody else */
    const char *summary_path;
    FILE *summary; /* NULL: only on stderr */
    bool quiet, best_effort, probe, off, no_children, symbolize, native;
    char **rest; /* the program, or the arguments of -m and -c */
    int n_rest;
    char *name;  /* for the file's name */
    char **argv; /* what is executed */
    char agent[LAUNCH_PATH_MAX];
    const char *why_untraced;
};

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
    {"probe-agent", OPTION_PROBE, NULL, OPTION_HIDDEN, NULL, 0},
    {0},
};

static void take_rest(struct run *run, struct argp_state *state, int from)
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
    if (*end || end == text || number >= NO_GROUP) {
        argp_error(state, "--group: there is no group %s", text);
    }
    return (gid_t)number;
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct run *run = state->input;
    switch (key) {
    case 'o':
        run->output = text;
        return 0;
    case 'm':
        run->module = text;
        take_rest(run, state, state->next);
        return 0;
    case 'c':
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
        run->summary_path = text;
        return 0;
    case OPTION_PROBE:
        run->probe = true;
        return 0;
    case ARGP_KEY_ARG:
        take_rest(run, state, state->next - 1);
        return 0;
    case ARGP_KEY_END:
        if (!run->rest && !run->probe) {
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
            strcmp(argv[i], "--group") == 0 || strcmp(argv[i], "--summary") == 0) {
            i++;
        }
        if (strcmp(argv[i], "--") == 0 || strcmp(argv[i], "-m") == 0 ||
            strcmp(argv[i], "-c") == 0) {
            return;
        }
    }
}

/* ---- what to execute ---- */

static bool has_suffix(const char *text, const char *suffix)
{
    size_t length = strlen(text), more = strlen(suffix);
    return length > more && strcmp(text + length - more, suffix) == 0;
}

static bool is_python_directory(const char *path)
{
    char main_path[LAUNCH_PATH_MAX];
    snprintf(main_path, sizeof(main_path), "%s/__main__.py", path);
    return access(main_path, F_OK) == 0;
}

static bool is_script(const char *path)
{
    return has_suffix(path, ".py") || has_suffix(path, ".pyz") || is_python_directory(path);
}

static char *short_name(const char *path)
{
    char *copy = strdup(path);
    size_t length = strlen(copy);
    while (length > 1 && copy[length - 1] == '/') {
        copy[--length] = 0;
    }
    char *base = strrchr(copy, '/');
    char *name = strdup(base && base[1] ? base + 1 : copy);
    free(copy);
    char *dot = strrchr(name, '.');
    if (dot && dot > name && (strcmp(dot, ".py") == 0 || strcmp(dot, ".pyz") == 0)) {
        *dot = 0;
    }
    return name;
}

static void build_command(struct run *run)
{
    int n = 0;
    run->argv = calloc((size_t)run->n_rest + 4, sizeof(char *));
    bool script = !run->module && !run->code && is_script(run->rest[0]);
    if (run->module || run->code || script) {
        run->argv[n++] = (char *)run->python;
    }
    if (run->module || run->code) {
        run->argv[n++] = run->module ? "-m" : "-c";
        run->argv[n++] = (char *)(run->module ? run->module : run->code);
    }
    for (int i = 0; i < run->n_rest; i++) {
        run->argv[n++] = run->rest[i];
    }
    run->name = run->code ? strdup("c") : short_name(run->module ? run->module : run->rest[0]);
}

/* The interpreter would say so too, but after everything has started. */
static int check_script(const struct run *run)
{
    struct stat status;
    if (run->module || run->code || !is_script(run->rest[0])) {
        return 0;
    }
    if (stat(run->rest[0], &status) != 0) {
        fprintf(stderr, "memtrace: %s: no such script\n", run->rest[0]);
        return 127;
    }
    if (access(run->rest[0], R_OK) != 0) {
        fprintf(stderr, "memtrace: %s: cannot be read\n", run->rest[0]);
        return 126;
    }
    return 0;
}

static const char *check_agent(struct run *run)
{
    if (!launch_agent(run->agent)) {
        return "libmemtrace.so is not beside this program nor where it was installed; build or "
               "install memtrace again";
    }
    return launch_probe(run->agent);
}

/* ---- the texts around a trace ---- */

static char *meta_json(const struct run *run, pid_t pid, uint64_t memory_limit)
{
    char cwd[LAUNCH_PATH_MAX] = "", host[256] = "";
    struct timespec now;
    json_t *command = json_array();
    for (char **argument = run->argv; *argument; argument++) {
        json_t *text = json_string(*argument);
        json_array_append_new(command, text ? text : json_string("?"));
    }
    if (!getcwd(cwd, sizeof(cwd))) {
        cwd[0] = 0;
    }
    gethostname(host, sizeof(host) - 1);
    clock_gettime(CLOCK_REALTIME, &now);
    json_t *meta = json_pack("{s:s, s:o, s:s, s:s, s:f, s:i, s:i, s:i}", "memtrace",
        MEMTRACE_VERSION, "command", command, "cwd", cwd, "host", host, "start",
        (double)now.tv_sec + (double)now.tv_nsec / 1e9, "interval_ms", (int)run->interval_ms, "pid",
        (int)pid, "collector_pid", (int)getpid());
    if (meta && memory_limit) {
        json_object_set_new(meta, "memory_limit", json_integer((json_int_t)memory_limit));
    }
    char *text = meta ? json_dumps(meta, JSON_COMPACT) : NULL;
    json_decref(meta);
    return text ? text : strdup("{}");
}

struct outcome {
    double seconds, user, system;
    uint64_t max_rss, max_pss;         /* of one process; of all at once, 0: it was one */
    uint64_t collector_rss, agent_rss; /* largest; of the agent in one process */
    struct totals peak, end;
    uint64_t bytes;
};

static double seconds_of(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static char *end_json(const struct outcome *outcome, int status)
{
    json_t *end = json_pack("{s:f, s:f, s:f, s:i, s:I, s:I, s:I}", "seconds", outcome->seconds,
        "user", outcome->user, "sys", outcome->system, "status", status, "max_rss",
        (json_int_t)outcome->max_rss, "collector_rss", (json_int_t)outcome->collector_rss,
        "agent_rss", (json_int_t)outcome->agent_rss);
    char *text = json_dumps(end, JSON_COMPACT);
    json_decref(end);
    return text;
}

static void print_summary(FILE *file, const struct outcome *outcome, const char *path)
{
    char rss[FORMAT_SIZE], peak[FORMAT_SIZE], python[FORMAT_SIZE], native[FORMAT_SIZE],
        end[FORMAT_SIZE];
    format_total(
        rss, (int64_t)(outcome->max_pss ? outcome->max_pss : outcome->max_rss), UNITS_AUTO);
    format_total(peak, (int64_t)(outcome->peak.python + outcome->peak.native), UNITS_AUTO);
    format_total(python, (int64_t)outcome->peak.python, UNITS_AUTO);
    format_total(native, (int64_t)outcome->peak.native, UNITS_AUTO);
    format_total(end, (int64_t)(outcome->end.python + outcome->end.native), UNITS_AUTO);
    fprintf(file,
        "memtrace: %.1f s (user %.1f, sys %.1f)  peak %s %s  live: peak %s (Python %s, native "
        "%s), at end %s\n",
        outcome->seconds, outcome->user, outcome->system, outcome->max_pss ? "PSS" : "RSS", rss,
        peak, python, native, end);
    fprintf(file, "memtrace: %s (%.0f kB). Next: memtrace leaks | top --at peak | plot\n", path,
        (double)outcome->bytes / 1000);
}

static struct outcome outcome_of(
    const struct collector *collector, const struct rusage *usage, double seconds)
{
    struct rusage own = {0};
    getrusage(RUSAGE_SELF, &own);
    struct outcome outcome = {.seconds = seconds,
        .collector_rss = (uint64_t)own.ru_maxrss * 1024,
        .user = seconds_of(usage->ru_utime),
        .system = seconds_of(usage->ru_stime),
        .peak = *accounts_peak_totals(&collector->accounts.all),
        .max_pss = collector->were_several ? collector->max_pss : 0,
        .bytes = collector->writer.written};
    for (size_t i = 0; i < collector->n_images; i++) {
        const struct image *image = collector->images[i];
        outcome.end.python += image->end.python;
        outcome.end.native += image->end.native;
        if (image->max_rss > outcome.max_rss) {
            outcome.max_rss = image->max_rss;
        }
        if (image->max_agent > outcome.agent_rss) {
            outcome.agent_rss = image->max_agent;
        }
    }
    return outcome;
}

/* ---- the run ---- */

static int start(struct run *run, struct collector *collector, struct launch *launch, char **path)
{
    const char *agent = run->why_untraced ? NULL : run->agent;
    if (!launch_fork(launch, agent, collector->shared.directory)) {
        perror("memtrace: fork");
        return OWN_FAILURE;
    }
    int fd = place_open(run->output, run->name, launch->pid, path);
    if (fd < 0) {
        launch_cancel(launch);
        return OWN_FAILURE;
    }
    if (run->group != NO_GROUP && !place_share(fd, run->group, *path)) {
        launch_cancel(launch);
        unlink(*path);
        return OWN_FAILURE;
    }
    char *meta = meta_json(run, launch->pid, collector->cgroup.limit);
    session_output(collector, fd, *path, meta);
    free(meta);
    collector->main_pid = launch->pid;
    collector->shared.control->only_pid = run->no_children ? launch->pid : 0;
    if (run->why_untraced) {
        session_adopt(collector, launch->pid, launch->program, run->argv[0]);
    }
    int error = launch_go(launch);
    if (error) {
        fprintf(stderr, "memtrace: %s: %s\n", launch->program, strerror(error));
        unlink(*path);
        waitpid(launch->pid, NULL, 0);
        return 126;
    }
    return 0;
}

static void summarize(const struct run *run, const struct outcome *outcome, const char *path)
{
    if (!run->quiet) {
        print_summary(stderr, outcome, path);
    }
    if (!run->summary) {
        return;
    }
    print_summary(run->summary, outcome, path);
    if (fclose(run->summary) != 0) {
        fprintf(
            stderr, "memtrace: %s: %s: the summary is lost\n", run->summary_path, strerror(errno));
    }
}

static int finish(
    struct run *run, struct collector *collector, const struct rusage *usage, const char *path)
{
    double seconds = (double)session_clock(collector) / 1e6;
    struct outcome outcome = outcome_of(collector, usage, seconds);
    int status = collector->main_status;
    bool silent = !run->why_untraced && !collector->shared.was_joined;
    char *end = end_json(&outcome, status);
    int error = session_seal(collector, end);
    free(end);
    session_free(collector);
    if (silent) {
        fprintf(stderr, "memtrace: the agent was not loaded into %s: nothing was traced\n",
            run->argv[0]);
    }
    if (access(path, F_OK) != 0) {
        fprintf(
            stderr, "memtrace: %s was removed while the program ran: its trace is lost\n", path);
    } else if (!error) {
        summarize(run, &outcome, path);
    }
    return supervise_exit(status);
}

/* Runs the program as if we were not there. */
static int run_bare(const struct run *run, const struct launch *launch)
{
    supervise_restore();
    execv(launch->program, run->argv);
    perror("memtrace: exec");
    return 126;
}

/* For tests: the same samples in every run. */
static void set_seed(struct collector *collector)
{
    const char *seed = getenv("MEMTRACE_SEED");
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    collector->shared.control->sample_seed = seed ? strtoull(seed, NULL, 10) : 0;
    collector->accounts.random =
        seed ? strtoull(seed, NULL, 10) : (uint64_t)now.tv_sec << 30 ^ (uint64_t)now.tv_nsec;
}

/* For tests: fewer rings at a time. */
static void set_slots(struct mt_control *control)
{
    const char *slots = getenv("MEMTRACE_SLOTS");
    unsigned long count = slots ? strtoul(slots, NULL, 10) : 0;
    if (count && count <= MT_SLOTS && (count & (count - 1)) == 0) {
        control->slots_count = (uint32_t)count;
    }
}

static int trace(struct run *run, struct launch *launch)
{
    struct collector *collector;
    struct rusage usage = {0};
    char *path = NULL;
    supervise_ignore();
    int error = session_create(&collector, run->interval_ms, run->sample_bytes);
    if (error) {
        fprintf(stderr, "memtrace: no shared memory for the session in /dev/shm or %s: %s\n",
            getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp", strerror(error));
        return run->best_effort ? run_bare(run, launch) : OWN_FAILURE;
    }
    collector->shared.control->flags =
        (run->off ? MT_SESSION_PAUSED : 0) | (run->native ? MT_SESSION_NATIVE : 0);
    set_seed(collector);
    set_slots(collector->shared.control);
    int signals = supervise_prepare();
    collector->symbolize = run->symbolize;
    collector->keeps_events = run->full;
    int status = start(run, collector, launch, &path);
    if (status) {
        session_abandon(collector);
    } else {
        supervise(collector, signals, &usage);
        status = finish(run, collector, &usage, path);
    }
    free(path);
    return status;
}

int cmd_run(int argc, char **argv)
{
    struct run run = {.python = "python3", .interval_ms = 10, .group = NO_GROUP};
    struct launch launch = {0};
    accept_dashes(argc, argv);
    argp_err_exit_status = OWN_FAILURE; /* 1 and 2 may be the program's */
    argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &run);
    if (run.probe) {
        return launch_probed();
    }
    build_command(&run);
    launch.argv = run.argv;
    int status = check_script(&run);
    if (!status) {
        status = launch_find(&launch);
    }
    if (status) {
        return status;
    }
    if (run.summary_path && !(run.summary = fopen(run.summary_path, "we"))) {
        fprintf(stderr, "memtrace: %s: %s; name a file that can be written with --summary\n",
            run.summary_path, strerror(errno));
        return OWN_FAILURE;
    }
    if (launch.why_untraced) {
        run.why_untraced = launch.why_untraced;
        fprintf(stderr, "memtrace: %s %s: it runs, and only its RSS is recorded\n", launch.program,
            launch.why_untraced);
    } else {
        const char *why = check_agent(&run);
        if (why) {
            fprintf(stderr, "memtrace: the agent %s cannot be loaded: %s\n", run.agent, why);
            return run.best_effort ? run_bare(&run, &launch) : OWN_FAILURE;
        }
    }
    status = trace(&run, &launch);
    free(run.argv);
    free(run.name);
    return status;
}
