/*
 * Looks at trace files (found.h).  Runs in the tools.
 */
#include "render/found.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "memtrace/format.h"
#include "render/info.h"
#include "render/report.h"
#include "render/running.h"
#include "trace/meta.h"
#include "trace/processes.h"
#include "trace/series.h"

const char *const found_state_names[] = {"sealed", "running", "ends early", "damaged",
    "of a newer memtrace", "nothing in it", "no trace", "not readable"};

bool found_is_trace(const char *path)
{
    char magic[MT_TRACE_MAGIC_SIZE] = {0};
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    bool good = fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
                read(fd, magic, sizeof magic) == sizeof magic &&
                memcmp(magic, MT_TRACE_MAGIC, sizeof magic) == 0;
    if (fd >= 0)
        close(fd);
    return good;
}

static enum found_state state_of(enum trace_error error)
{
    switch (error) {
    case TRACE_ERROR_NEWER:
        return FOUND_NEWER;
    case TRACE_ERROR_NOTHING:
        return FOUND_NOTHING;
    case TRACE_ERROR_OPEN:
        return FOUND_FORBIDDEN;
    default:
        return FOUND_FOREIGN;
    }
}

static char *command_of(const struct trace *trace)
{
    struct meta meta;
    struct report report = {.trace = *trace, .cwd = meta.cwd};
    uint32_t process = process_of_interest(trace, NULL);
    char *text = NULL;
    size_t size;
    meta_read(&meta, trace);
    FILE *file = process ? open_memstream(&text, &size) : NULL;
    if (!file)
        return strdup("");
    print_command(file, &report, process);
    fclose(file);
    return text;
}

static void find_highest_rss(struct found *found, const struct trace *trace)
{
    struct series series = {0};
    if (series_of_all(&series, trace))
        for (size_t i = 0; i < series.count; i++)
            if (series.samples[i].rss > found->peak_rss)
                found->peak_rss = series.samples[i].rss;
    found->proportional = series.proportional;
    series_free(&series);
}

static void look_inside(struct found *found)
{
    struct trace trace;
    enum trace_error error = trace_read(&trace, found->path);
    if (error != TRACE_OK) {
        found->state = state_of(error);
        return;
    }
    bool running = trace_is_running(&trace, &found->elapsed_us);
    found->state = running         ? FOUND_RUNNING
                   : trace.sealed  ? FOUND_SEALED
                   : trace.damaged ? FOUND_DAMAGED
                                   : FOUND_EARLY;
    found->command = command_of(&trace);
    found->time_us = info_duration(&trace);
    found->peak = trace.peaks[0].python + trace.peaks[0].native;
    find_highest_rss(found, &trace);
    trace_free(&trace);
}

bool found_file(struct found *found, const char *path)
{
    struct stat status;
    if (lstat(path, &status) != 0)
        return false;
    *found = (struct found){.path = strdup(path),
        .state = FOUND_FOREIGN,
        .modified = (double)status.st_mtim.tv_sec + (double)status.st_mtim.tv_nsec / 1e9,
        .bytes = status.st_size};
    if (S_ISREG(status.st_mode))
        look_inside(found);
    return true;
}

static int newest_first(const void *a, const void *b)
{
    const struct found *left = a, *right = b;
    if (left->modified != right->modified)
        return left->modified > right->modified ? -1 : 1;
    return strcmp(left->path, right->path);
}

static bool is_named_so(const char *name)
{
    size_t size = strlen(name);
    return size > 7 && *name != '.' && strcmp(name + size - 7, ".mtrace") == 0;
}

static void add(struct found **found, size_t *n, const char *directory, const char *name)
{
    char *path = NULL;
    bool here = strcmp(directory, ".") == 0;
    if (asprintf(&path, "%s%s%s", here ? "" : directory, here ? "" : "/", name) < 0)
        abort();
    *found = reallocarray(*found, *n + 1, sizeof **found);
    if (!*found)
        abort();
    *n += found_file(&(*found)[*n], path);
    free(path);
}

int found_in(const char *directory, struct found **found, size_t *n)
{
    DIR *entries = opendir(directory);
    *found = NULL;
    *n = 0;
    if (!entries)
        return -1;
    for (struct dirent *entry; (entry = readdir(entries));)
        if (is_named_so(entry->d_name))
            add(found, n, directory, entry->d_name);
    closedir(entries);
    if (*n)
        qsort(*found, *n, sizeof **found, newest_first);
    return 0;
}

void found_free(struct found *found, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(found[i].path);
        free(found[i].command);
    }
    free(found);
}
