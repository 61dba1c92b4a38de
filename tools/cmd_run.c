/*
 * memtrace run: starts a program with the agent in it and collects its trace.
 * Nothing of ours goes to stdout; the program's status is ours.
 */
#include "commands.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "collect/launch.h"
#include "collect/place.h"
#include "collect/session.h"
#include "collect/supervise.h"
#include "run_command.h"
#include "run_options.h"
#include "run_outcome.h"
#include "run_repeat.h"

struct run {
    struct run_options options;
    struct run_command command;
    struct launch launch;
    struct run_repeat *repeat;
    const char *output; /* the option, with the number of the run */
    FILE *summary;      /* NULL: only on stderr */
    char agent[LAUNCH_PATH_MAX];
    const char *why_untraced;
};

static const char *check_agent(struct run *run)
{
    if (!launch_agent(run->agent)) {
        return "libmemtrace.so is not beside this program nor where it was installed; build or "
               "install memtrace again";
    }
    return launch_probe(run->agent);
}

/* ---- the run ---- */

static int start(struct run *run, struct collector *collector, struct launch *launch, char **path)
{
    const char *agent = run->why_untraced ? NULL : run->agent;
    if (!launch_fork(launch, agent, collector->shared.directory)) {
        perror("memtrace: fork");
        return RUN_FAILURE;
    }
    int fd = place_open(run->output, run->command.name, launch->pid, path);
    if (fd < 0) {
        launch_cancel(launch);
        return RUN_FAILURE;
    }
    if (run->options.group != RUN_NO_GROUP && !place_share(fd, run->options.group, *path)) {
        launch_cancel(launch);
        unlink(*path);
        return RUN_FAILURE;
    }
    char *meta = run_meta_json(
        run->command.argv, launch->pid, run->options.interval_ms, collector->cgroup.limit);
    session_output(collector, fd, *path, meta);
    free(meta);
    collector->main_pid = launch->pid;
    collector->shared.control->only_pid = run->options.no_children ? launch->pid : 0;
    if (run->why_untraced) {
        session_adopt(collector, launch->pid, launch->program, run->command.argv[0]);
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

static void close_summary(const struct run *run)
{
    if (fclose(run->summary) != 0) {
        fprintf(stderr, "memtrace: %s: %s: the summary is lost\n", run->options.summary,
            strerror(errno));
    }
}

static void summarize(const struct run *run, const struct run_outcome *outcome, const char *path)
{
    run_repeat_send(run->repeat, outcome, path);
    if (!run->options.quiet) {
        run_outcome_print(stderr, outcome, path);
    }
    if (!run->summary) {
        return;
    }
    run_outcome_print(run->summary, outcome, path);
    close_summary(run);
}

static int finish(
    struct run *run, struct collector *collector, const struct rusage *usage, const char *path)
{
    double seconds = (double)session_clock(collector) / 1e6;
    struct run_outcome outcome = run_outcome_of(collector, usage, seconds);
    int status = collector->main_status;
    bool silent = !run->why_untraced && !collector->shared.was_joined;
    char *end = run_end_json(&outcome, status);
    int error = session_seal(collector, end);
    free(end);
    session_free(collector);
    if (silent) {
        fprintf(stderr, "memtrace: the agent was not loaded into %s: nothing was traced\n",
            run->command.argv[0]);
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
    execv(launch->program, run->command.argv);
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
    int error = session_create(&collector, run->options.interval_ms, run->options.sample_bytes);
    if (error) {
        fprintf(stderr, "memtrace: no shared memory for the session in /dev/shm or %s: %s\n",
            getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp", strerror(error));
        return run->options.best_effort ? run_bare(run, launch) : RUN_FAILURE;
    }
    collector->shared.control->flags =
        (run->options.off ? MT_SESSION_PAUSED : 0) | (run->options.native ? MT_SESSION_NATIVE : 0);
    set_seed(collector);
    set_slots(collector->shared.control);
    int signals = supervise_prepare();
    collector->symbolize = run->options.symbolize;
    collector->keeps_events = run->options.full;
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

/* A trace for each run: app.mtrace makes app.2.mtrace. */
static void number_output(struct run *run)
{
    const char *output = run->options.output;
    size_t size = output ? strlen(output) : 0;
    size_t stem = size > 7 && strcmp(output + size - 7, ".mtrace") == 0 ? size - 7 : size;
    char *numbered;
    if (!output || !run->repeat->number) {
        run->output = output;
    } else if (asprintf(&numbered, "%.*s.%u%s", (int)stem, output, run->repeat->number,
                   output + stem) >= 0) {
        run->output = numbered;
    }
}

static int trace_once(void *context)
{
    struct run *run = context;
    number_output(run);
    return trace(run, &run->launch);
}

static int trace_all(struct run *run)
{
    if (run->options.repeat < 2) {
        return trace_once(run);
    }
    int status = run_repeat(run->repeat, run->options.repeat, trace_once, run);
    if (!run->options.quiet) {
        run_repeat_print(stderr, run->repeat);
    }
    if (run->summary) {
        run_repeat_print(run->summary, run->repeat);
        close_summary(run);
    }
    run_repeat_free(run->repeat);
    return supervise_exit(status);
}

static bool open_summary(struct run *run)
{
    const char *path = run->options.summary;
    if (!path || (run->summary = fopen(path, "we"))) {
        return true;
    }
    fprintf(stderr, "memtrace: %s: %s; name a file that can be written with --summary\n", path,
        strerror(errno));
    return false;
}

/* Before anything runs: 0, or the exit status after a message. */
static int prepare(struct run *run)
{
    struct launch *launch = &run->launch;
    launch->argv = run->command.argv;
    int status = run_command_check(&run->options);
    status = status ? status : launch_find(launch);
    if (status) {
        return status;
    }
    if (!open_summary(run)) {
        return RUN_FAILURE;
    }
    if (launch->why_untraced) {
        run->why_untraced = launch->why_untraced;
        fprintf(stderr, "memtrace: %s %s: it runs, and only its RSS is recorded\n", launch->program,
            launch->why_untraced);
        return 0;
    }
    const char *why = check_agent(run);
    if (why) {
        fprintf(stderr, "memtrace: the agent %s cannot be loaded: %s\n", run->agent, why);
        return run->options.best_effort ? run_bare(run, launch) : RUN_FAILURE;
    }
    return 0;
}

int cmd_run(int argc, char **argv)
{
    struct run_repeat repeat = {0};
    struct run run = {.options = {.python = "python3", .interval_ms = 10, .group = RUN_NO_GROUP},
        .repeat = &repeat};
    run_options_parse(&run.options, argc, argv);
    if (run.options.probe) {
        return launch_probed();
    }
    run_command_make(&run.command, &run.options);
    int status = prepare(&run);
    if (!status) {
        status = trace_all(&run);
    }
    run_command_free(&run.command);
    return status;
}
