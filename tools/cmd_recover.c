/*
 * memtrace recover: finishes traces whose collector was killed, from what it and
 * the programs left in shared memory.
 */
#include "commands.h"

#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "collect/guard.h"
#include "collect/session.h"
#include "render/output.h"

struct recover {
    char **directories; /* named; NULL: all there are */
    int n_directories;
    int failed, done;
};

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct recover *recover = state->input;
    if (key == ARGP_KEY_ARGS) {
        recover->directories = state->argv + state->next;
        recover->n_directories = state->argc - state->next;
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

static const struct argp argp = {NULL, parse, "[SESSION...]",
    "Finishes traces whose program and collector were both killed.\v"
    "A session is a directory named memtrace-UID-... in /dev/shm or the temporary directory; "
    "without one, all of yours whose collector is dead are finished.  What was published before "
    "the kill is in the trace then.",
    NULL, NULL, NULL};

static const char *why(int error)
{
    switch (error) {
    case EBUSY:
        return "its collector lives; end the program first";
    case EAGAIN:
        return "is being recovered already";
    case ENOENT:
        return "holds nothing that could be recovered; removed";
    case EPERM:
        return "is no directory of yours; who ran the program can recover it";
    case EPROTO:
        return "was left by another version of memtrace, or is no session";
    default:
        return strerror(error);
    }
}

/* In a process of its own: a collector that was killed in the middle of a change may have left
   something that cannot be read. */
static int finish_session(const char *directory)
{
    struct collector *collector;
    if (access(directory, F_OK) != 0 && errno == ENOENT) {
        message(
            "%s: no such directory; without a name all sessions of yours are recovered", directory);
        return 1;
    }
    guard_begin();
    int error = session_resume(&collector, directory);
    if (error) {
        message("%s: %s", directory, why(error));
        return error == EBUSY || error == EAGAIN ? 0 : 1;
    }
    session_finish(collector);
    char end[128];
    snprintf(end, sizeof(end), "{\"seconds\":%.6f,\"status\":-1,\"recovered\":true}",
        (double)session_clock(collector) / 1e6);
    char *path = strdup(collector->path);
    error = session_seal(collector, end);
    session_free(collector);
    if (error) {
        message("%s: writing failed: %s", path, strerror(error));
    } else {
        printf("%s\n", path);
    }
    free(path);
    return error != 0;
}

static void recover_one(struct recover *recover, const char *directory)
{
    int status = 0;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        exit(output_finish(finish_session(directory)));
    }
    if (pid < 0 || waitpid(pid, &status, 0) < 0 || !WIFEXITED(status)) {
        message("%s: what is there cannot be read; the trace stays as it is", directory);
        recover->failed++;
    } else if (WEXITSTATUS(status)) {
        recover->failed++;
    }
    recover->done++;
}

static void recover_each(void *context, const char *directory)
{
    recover_one(context, directory);
}

int cmd_recover(int argc, char **argv)
{
    struct recover recover = {0};
    if (argp_parse(&argp, argc, argv, 0, NULL, &recover)) {
        return 2;
    }
    for (int i = 0; i < recover.n_directories; i++) {
        recover_one(&recover, recover.directories[i]);
    }
    if (!recover.n_directories) {
        shared_each(recover_each, &recover);
    }
    if (!recover.done) {
        message("there is nothing to recover: no session of yours is left");
    }
    return recover.failed ? 1 : 0;
}
