/*
 * Finds and opens the trace of a report.  Runs in the tools.
 */
#include "render/input.h"

#include <errno.h>
#include <glob.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "render/output.h"
#include "render/progress.h"
#include "render/running.h"

/* The newest *.mtrace of the current directory; the caller frees it.  NULL if there is none. */
static char *newest_trace(void)
{
    glob_t found;
    struct timespec best = {0};
    char *newest = NULL;
    if (glob("*.mtrace", 0, NULL, &found) != 0)
        return NULL;
    for (size_t i = 0; i < found.gl_pathc; i++) {
        struct stat status;
        if (stat(found.gl_pathv[i], &status) < 0 || !S_ISREG(status.st_mode))
            continue;
        struct timespec time = status.st_mtim;
        if (newest && (time.tv_sec < best.tv_sec ||
                          (time.tv_sec == best.tv_sec && time.tv_nsec <= best.tv_nsec)))
            continue;
        best = time;
        newest = found.gl_pathv[i];
    }
    newest = newest ? strdup(newest) : NULL;
    globfree(&found);
    return newest;
}

static void say_forbidden(const char *path)
{
    struct stat status;
    struct passwd *owner = stat(path, &status) == 0 ? getpwuid(status.st_uid) : NULL;
    if (owner)
        message("%s: may not be read: it is %s's; ask for a copy", path, owner->pw_name);
    else
        message("%s: may not be read", path);
}

static bool read_trace(struct trace *trace, const char *path)
{
    progress_begin("working on", path);
    enum trace_error error = trace_read(trace, path);
    if (error == TRACE_ERROR_OPEN && errno == EACCES)
        say_forbidden(path);
    else if (error == TRACE_ERROR_OPEN && errno == ENOENT)
        message("%s: no such file; `memtrace run` writes one", path);
    else if (error != TRACE_OK)
        message("%s: %s", path, trace_strerror(error));
    return error == TRACE_OK;
}

bool input_read(struct trace *trace, const char *path)
{
    uint64_t elapsed_us;
    char *newest = NULL;
    if (!path) {
        newest = newest_trace();
        if (!newest) {
            message("no *.mtrace in this directory; `memtrace run PROGRAM` writes one");
            return false;
        }
        message("reading %s", newest);
        path = newest;
    }
    bool good = read_trace(trace, path);
    if (good && trace->damaged)
        message("%s: the trace is damaged after byte %llu of %llu: this is what comes before", path,
            (unsigned long long)trace->good_bytes, (unsigned long long)trace->file_bytes);
    else if (good && !trace->sealed && !trace_is_running(trace, &elapsed_us))
        message("%s: the trace ends early (not sealed): this is what is there", path);
    free(newest);
    return good;
}
