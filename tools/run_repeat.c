/*
 * Runs that are repeated (run_repeat.h).  Each is a process as if it had been
 * started alone; this one waits.
 */
#include "run_repeat.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "render/format.h"
#include "render/output.h"
#include "run_options.h"

/* ---- results ---- */

void run_repeat_send(
    const struct run_repeat *repeat, const struct run_outcome *outcome, const char *path)
{
    if (!repeat->number) {
        return;
    }
    size_t size = strlen(path); /* a pipe has room for both */
    if (write(repeat->to, outcome, sizeof(*outcome)) < 0 || write(repeat->to, path, size) < 0) {
        fprintf(stderr, "memtrace: %s: not counted: %s\n", path, strerror(errno));
    }
}

/* What a run that has ended left in the pipe. */
static void take_result(struct run_repeat *repeat)
{
    struct run_result *result = &repeat->results[repeat->count];
    char path[8192];
    ssize_t size = read(repeat->from, &result->outcome, sizeof(result->outcome));
    if (size != sizeof(result->outcome) || (size = read(repeat->from, path, sizeof(path))) <= 0) {
        return;
    }
    result->path = strndup(path, (size_t)size);
    repeat->count++;
}

/* ---- the runs ---- */

static sigset_t passed_on(void)
{
    static const int numbers[] = {SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
        sigaddset(&set, numbers[i]);
    }
    return set;
}

/* As the first process of a container we have orphans too. */
static bool has_ended(pid_t pid, int *status)
{
    pid_t ended;
    int theirs;
    while ((ended = waitpid(-1, &theirs, WNOHANG)) > 0) {
        if (ended == pid) {
            *status = theirs;
            return true;
        }
    }
    return false;
}

/* Returns false if no more runs are wanted. */
static bool wait_for(pid_t pid, const sigset_t *set, int *status)
{
    bool go_on = true;
    while (!has_ended(pid, status)) {
        siginfo_t info;
        int number = sigwaitinfo(set, &info);
        if (number < 0 || number == SIGCHLD) {
            continue;
        }
        go_on = go_on && (number == SIGUSR1 || number == SIGUSR2);
        if (info.si_code != SI_KERNEL) { /* the terminal's go to the whole group */
            kill(pid, number);
        }
    }
    return go_on;
}

/* How signals were before. */
struct signals {
    sigset_t mask;
    struct sigaction child;
};

static sigset_t take_signals(struct signals *before)
{
    struct sigaction usual = {
        .sa_handler = SIG_DFL}; /* ignored, there would be nothing to wait for */
    sigset_t set = passed_on();
    sigaction(SIGCHLD, &usual, &before->child);
    sigprocmask(SIG_BLOCK, &set, &before->mask);
    return set;
}

static void give_signals_back(const struct signals *before)
{
    sigaction(SIGCHLD, &before->child, NULL);
    sigprocmask(SIG_SETMASK, &before->mask, NULL);
}

static bool open_pipe(struct run_repeat *repeat, unsigned times)
{
    int ends[2];
    repeat->results = calloc(times, sizeof(*repeat->results));
    if (!repeat->results || pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) {
        perror("memtrace: --repeat");
        return false;
    }
    repeat->from = ends[0];
    repeat->to = ends[1];
    return true;
}

int run_repeat(struct run_repeat *repeat, unsigned times, int (*once)(void *context), void *context)
{
    struct signals before;
    int status = RUN_FAILURE << 8;
    bool go_on = open_pipe(repeat, times);
    sigset_t set = take_signals(&before);
    while (go_on && repeat->number < times) {
        repeat->number++;
        fflush(NULL);
        pid_t pid = fork();
        if (pid == 0) {
            give_signals_back(&before);
            exit(once(context));
        }
        go_on = pid > 0 && wait_for(pid, &set, &status) && status == 0;
        take_result(repeat);
    }
    if (status && repeat->number && repeat->number < times) {
        fprintf(
            stderr, "memtrace: run %u of %u failed: there are no more\n", repeat->number, times);
    }
    give_signals_back(&before);
    return status;
}

/* ---- what they came to ---- */

enum value { SECONDS, RSS, PEAK, PYTHON, NATIVE, END, VALUES };

static double value_of(const struct run_outcome *outcome, enum value value)
{
    const double values[VALUES] = {[SECONDS] = outcome->seconds,
        [RSS] = (double)(outcome->max_pss ? outcome->max_pss : outcome->max_rss),
        [PEAK] = (double)(outcome->peak.python + outcome->peak.native),
        [PYTHON] = (double)outcome->peak.python,
        [NATIVE] = (double)outcome->peak.native,
        [END] = (double)(outcome->end.python + outcome->end.native)};
    return values[value];
}

struct spread {
    double mean, deviation;
};

static struct spread spread_of(const struct run_repeat *repeat, enum value value)
{
    struct spread spread = {0};
    for (unsigned i = 0; i < repeat->count; i++) {
        spread.mean += value_of(&repeat->results[i].outcome, value) / repeat->count;
    }
    for (unsigned i = 0; i < repeat->count; i++) {
        double off = value_of(&repeat->results[i].outcome, value) - spread.mean;
        spread.deviation += off * off / (repeat->count - 1);
    }
    spread.deviation = sqrt(spread.deviation);
    return spread;
}

static void print_bytes(FILE *file, const struct run_repeat *repeat, enum value value)
{
    struct spread spread = spread_of(repeat, value);
    char mean[FORMAT_SIZE], deviation[FORMAT_SIZE];
    int64_t bytes = llround(spread.mean);
    fprintf(file, "%s%s", format_total(mean, bytes, UNITS_AUTO),
        format_total_error(deviation, llround(spread.deviation), bytes, UNITS_AUTO));
}

static void print_values(FILE *file, const struct run_repeat *repeat)
{
    struct spread seconds = spread_of(repeat, SECONDS);
    fprintf(file, "memtrace: %u runs of %.1f s %s%.1f  peak %s ", repeat->count, seconds.mean,
        output_utf8() ? "\xc2\xb1" : "+-", seconds.deviation,
        repeat->results[0].outcome.max_pss ? "PSS" : "RSS");
    print_bytes(file, repeat, RSS);
    fputs("  live: peak ", file);
    print_bytes(file, repeat, PEAK);
    fputs(" (Python ", file);
    print_bytes(file, repeat, PYTHON);
    fputs(", native ", file);
    print_bytes(file, repeat, NATIVE);
    fputs("), at end ", file);
    print_bytes(file, repeat, END);
    fputc('\n', file);
}

void run_repeat_print(FILE *file, const struct run_repeat *repeat)
{
    if (repeat->count < 2) {
        return;
    }
    print_values(file, repeat);
    fputs("memtrace: Next, with a trace of a changed program: memtrace diff", file);
    for (unsigned i = 0; i < repeat->count; i++) {
        fprintf(file, " %s", repeat->results[i].path);
    }
    fputs(" CHANGED.mtrace\n", file);
}

void run_repeat_free(struct run_repeat *repeat)
{
    for (unsigned i = 0; i < repeat->count; i++) {
        free(repeat->results[i].path);
    }
    free(repeat->results);
    close(repeat->from);
    close(repeat->to);
}
