/*
 * Looks for the collector of a trace (running.h).  Runs in reports.  A number of
 * a process alone says little: it must be memtrace, with the file open.
 */
#include "render/running.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "trace/meta.h"

static bool is_memtrace(int pid)
{
    char path[64], name[32] = "";
    snprintf(path, sizeof path, "/proc/%d/comm", pid);
    FILE *file = fopen(path, "re");
    bool read = file && fgets(name, sizeof name, file);
    if (file)
        fclose(file);
    return read && strcmp(name, "memtrace\n") == 0;
}

/* While the file is being replaced by a compacted one it may be another one of the same name. */
static bool is_same(const char *path, const struct stat *one, const char *real)
{
    char target[PATH_MAX];
    struct stat other;
    ssize_t size = readlink(path, target, sizeof target - 1);
    if (size > 0)
        target[size] = 0;
    return (size > 0 && real && strcmp(target, real) == 0) ||
           (stat(path, &other) == 0 && other.st_dev == one->st_dev && other.st_ino == one->st_ino);
}

/* True also where nobody may know: of another user's process. */
static bool has_open(int pid, const char *trace)
{
    char path[PATH_MAX], *real = realpath(trace, NULL);
    struct stat status;
    snprintf(path, sizeof path, "/proc/%d/fd", pid);
    DIR *directory = opendir(path);
    bool found = !directory || stat(trace, &status) != 0;
    for (struct dirent *entry; !found && (entry = readdir(directory));) {
        snprintf(path, sizeof path, "/proc/%d/fd/%s", pid, entry->d_name);
        found = is_same(path, &status, real);
    }
    if (directory)
        closedir(directory);
    free(real);
    return found;
}

bool trace_is_running(const struct trace *trace, uint64_t *elapsed_us)
{
    struct meta meta;
    char host[256] = "";
    struct timespec now;
    if (trace->sealed || trace->damaged)
        return false;
    meta_read(&meta, trace);
    gethostname(host, sizeof host - 1);
    if (!meta.collector_pid || strcmp(host, meta.host) != 0 || !is_memtrace(meta.collector_pid) ||
        !has_open(meta.collector_pid, trace->path))
        return false;
    clock_gettime(CLOCK_REALTIME, &now);
    double elapsed = (double)now.tv_sec + (double)now.tv_nsec / 1e9 - meta.start;
    *elapsed_us = elapsed > 0 ? (uint64_t)(elapsed * 1e6) : 0;
    return true;
}
