/*
 * Finds and opens the trace of a report.  Runs in the tools.
 */
#include "render/input.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "render/output.h"
#include "render/progress.h"
#include "render/running.h"

const char *input_directory(void)
{
    const char *directory = getenv("MEMTRACE_DIR");
    return directory && *directory ? directory : ".";
}

static bool is_trace_name(const char *name)
{
    size_t size = strlen(name);
    return size > 7 && *name != '.' && strcmp(name + size - 7, ".mtrace") == 0;
}

static bool is_newer(const struct stat *a, const struct stat *b)
{
    if (a->st_mtim.tv_sec != b->st_mtim.tv_sec)
        return a->st_mtim.tv_sec > b->st_mtim.tv_sec;
    return a->st_mtim.tv_nsec > b->st_mtim.tv_nsec;
}

/* The newest *.mtrace of a directory; the caller frees it.  NULL if there is none. */
static char *newest_trace(const char *directory)
{
    DIR *entries = opendir(directory);
    struct stat best = {0}, status;
    char name[NAME_MAX + 1] = "", *path = NULL;
    for (struct dirent *entry; entries && (entry = readdir(entries));) {
        if (!is_trace_name(entry->d_name) ||
            fstatat(dirfd(entries), entry->d_name, &status, 0) != 0 || !S_ISREG(status.st_mode))
            continue;
        bool same = !is_newer(&status, &best) && !is_newer(&best, &status);
        if (!*name || is_newer(&status, &best) || (same && strcmp(entry->d_name, name) < 0)) {
            best = status;
            snprintf(name, sizeof name, "%s", entry->d_name);
        }
    }
    if (entries)
        closedir(entries);
    bool here = strcmp(directory, ".") == 0;
    if (*name && asprintf(&path, "%s%s%s", here ? "" : directory, here ? "" : "/", name) < 0)
        abort();
    return path;
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
        const char *directory = input_directory();
        newest = newest_trace(directory);
        if (!newest) {
            message("no *.mtrace in %s; `memtrace run PROGRAM` writes one",
                strcmp(directory, ".") == 0 ? "this directory" : directory);
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
