/*
 * The collector's main loop (supervise.h).  Signals that a user or a container
 * sends to us go to the program once; those of the terminal reach it anyway.
 */
#include "collect/supervise.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "collect/guard.h"
#include "collect/unseen.h"

/* Pauses between two looks at the rings.  The longer they are, the less the program's caches are
   disturbed where it shares a processor with us; but no ring should get full in one. */
#define SHORTEST_NS 200000
#define LONGEST_NS 5000000
#define LONGEST_OF_EVENTS_NS 500000 /* the times of events are no finer */
#define BUSY_WORDS 16384u           /* so many were taken: there may be more */
#define FULL 8u                     /* a ring that is an eighth full: half the pause */
#define EMPTY 32u                   /* none is as full as this: twice the pause */

static const int passed_on[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};

static const int ignored[] = {SIGPIPE, SIGXFSZ};
static struct sigaction before[2];
static sigset_t mask_before;
static bool are_ignored;

void supervise_ignore(void)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    are_ignored = true;
    sigprocmask(SIG_BLOCK, NULL, &mask_before);
    for (int i = 0; i < 2; i++) {
        sigaction(ignored[i], &ignore, &before[i]);
    }
    guard_begin();
}

void supervise_restore(void)
{
    if (!are_ignored) {
        return;
    }
    for (int i = 0; i < 2; i++) {
        sigaction(ignored[i], &before[i], NULL);
    }
    guard_end();
    sigprocmask(SIG_SETMASK, &mask_before, NULL);
}

int supervise_prepare(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    for (size_t i = 0; i < sizeof(passed_on) / sizeof(*passed_on); i++) {
        sigaddset(&set, passed_on[i]);
    }
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* As PID 1 we also inherit orphans. */
static void reap(struct collector *collector, struct rusage *usage)
{
    struct rusage theirs;
    int status;
    pid_t pid;
    while ((pid = wait4(-1, &status, WNOHANG, &theirs)) > 0) {
        if (pid == collector->main_pid) {
            collector->main_ended = true;
            collector->main_status = status;
            *usage = theirs;
        }
    }
    if (pid < 0 && errno == ECHILD && !collector->main_ended) {
        collector->main_ended = true;
    }
}

static void take_signals(struct collector *collector, int signals, struct rusage *usage)
{
    struct signalfd_siginfo info;
    while (read(signals, &info, sizeof(info)) == sizeof(info)) {
        if (info.ssi_signo == SIGCHLD) {
            continue;
        }
        if (info.ssi_code != SI_KERNEL) { /* the terminal's go to the whole group */
            kill(collector->main_pid, (int)info.ssi_signo);
        }
    }
    reap(collector, usage);
}

static void tell_write_failure(struct collector *collector, bool *told)
{
    if (collector->writer.error && !*told) {
        *told = true;
        fprintf(stderr,
            "memtrace: %s: writing failed: %s; the program goes on, the trace ends here\n",
            collector->path, strerror(collector->writer.error));
    }
}

static long next_pause(const struct collector *collector, long pause_ns)
{
    long longest = collector->keeps_events ? LONGEST_OF_EVENTS_NS : LONGEST_NS;
    uint64_t fullest = collector->fullest;
    if (fullest >= RING_WHOLE / FULL) {
        return pause_ns / 2 > SHORTEST_NS ? pause_ns / 2 : SHORTEST_NS;
    }
    if (fullest < RING_WHOLE / EMPTY) {
        return pause_ns * 2 < longest ? pause_ns * 2 : longest;
    }
    return pause_ns;
}

void supervise(struct collector *collector, int signals, struct rusage *usage)
{
    long pause_ns = SHORTEST_NS;
    bool told = false, has_paused = true;
    while (!collector->main_ended) {
        uint64_t taken = session_poll(collector);
        tell_write_failure(collector, &told);
        pause_ns = has_paused ? next_pause(collector, pause_ns) : pause_ns;
        has_paused = taken < BUSY_WORDS;
        struct timespec pause = {0, has_paused ? pause_ns : 0};
        struct pollfd fd = {.fd = signals, .events = POLLIN};
        if (ppoll(&fd, 1, &pause, NULL) > 0) {
            take_signals(collector, signals, usage);
        }
    }
    unseen_wait(collector);
    session_finish(collector);
    tell_write_failure(collector, &told);
}

int supervise_exit(int status)
{
    if (status >= 0 && WIFSIGNALED(status)) {
        struct rlimit none = {0, 0};
        sigset_t set;
        int number = WTERMSIG(status);
        setrlimit(RLIMIT_CORE, &none); /* the program's core is the one that counts */
        signal(number, SIG_DFL);
        sigemptyset(&set);
        sigaddset(&set, number);
        sigprocmask(SIG_UNBLOCK, &set, NULL);
        raise(number);
        return 128 + number;
    }
    return status >= 0 && WIFEXITED(status) ? WEXITSTATUS(status) : 125;
}
