/*
 * Maps that compilers at run time write for perf (perfmaps.h).  In the collector, when
 * the program has ended.
 *
 * Anybody may put a file into that directory: only one that this user made during the
 * run counts.  What it says is data and no more: a name, if all its lines that span an
 * address agree on one.  Code may have been freed and other code made in its place.
 */
#include "collect/perfmaps.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIZE_MAX_READ (256l << 20) /* a map that is larger is left alone */
#define LINE_MAX_READ 2048
#define LINES_A_LOOK 4096u

struct perfmap {
    struct perfmap_name *names;
    size_t n;
};

/* When the file was made, or changed last where that is not known. */
static bool is_since(int fd, time_t since)
{
    struct statx status;
    if (statx(fd, "", AT_EMPTY_PATH, STATX_BTIME | STATX_MTIME, &status)) {
        return false;
    }
    bool has_birth = status.stx_mask & STATX_BTIME;
    return (has_birth ? status.stx_btime : status.stx_mtime).tv_sec >= since;
}

static FILE *open_map(const char *directory, int pid, time_t since)
{
    char path[256];
    struct stat status;
    int length = snprintf(path, sizeof(path), "%s/perf-%d.map", directory, pid);
    int fd = length < (int)sizeof(path) ? open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
                                        : -1;
    if (fd < 0) {
        return NULL;
    }
    bool is_ours = fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
                   status.st_uid == geteuid() && status.st_nlink == 1 && is_since(fd, since);
    FILE *file = is_ours ? fdopen(fd, "r") : NULL;
    if (!file) {
        close(fd);
    }
    return file;
}

static bool take_number(char **text, uint64_t *number)
{
    char *end;
    if (!isxdigit((unsigned char)**text)) {
        return false;
    }
    *number = strtoull(*text, &end, 16);
    bool ends = *end == ' ';
    *text = end + ends;
    return ends;
}

/* The first name whose call, which is before the address, is not below `start`. */
static size_t first_from(const struct perfmap *map, uint64_t start)
{
    size_t low = 0, high = map->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (map->names[middle].address - 1 < start) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static void take_function(struct perfmap_name *name, uint64_t start, const char *function)
{
    if (name->is_unsure) {
        return;
    }
    if (name->function && strcmp(name->function, function) != 0) {
        free(name->function);
        name->function = NULL;
        name->is_unsure = true;
        return;
    }
    name->function = name->function ? name->function : strdup(function);
    name->offset = name->address - start;
}

static void take_line(struct perfmap *map, char *line)
{
    uint64_t start, size;
    if (!take_number(&line, &start) || !take_number(&line, &size) || !*line) {
        return;
    }
    for (size_t i = first_from(map, start); i < map->n; i++) {
        if (map->names[i].address - 1 - start >= size) {
            break;
        }
        take_function(&map->names[i], start, line);
    }
}

/* A line without its end; the rest of one that is too long is left out.  False at the end. */
static bool read_line(FILE *file, char line[LINE_MAX_READ])
{
    if (!fgets(line, LINE_MAX_READ, file)) {
        return false;
    }
    char *end = strchr(line, '\n');
    if (end) {
        *end = 0;
    } else {
        for (int c = getc(file); c != EOF && c != '\n'; c = getc(file)) {
        }
    }
    return true;
}

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* False if there is more of it than there is time for. */
static bool read_map(struct perfmap *map, FILE *file, uint64_t deadline)
{
    char line[LINE_MAX_READ];
    for (unsigned lines = 1; read_line(file, line); lines++) {
        if (lines % LINES_A_LOOK == 0 && (ftell(file) > SIZE_MAX_READ || now_ms() > deadline)) {
            return false;
        }
        take_line(map, line);
    }
    return true;
}

void perfmaps_find(const char *directory, int pid, time_t since, uint64_t patience_ms,
    struct perfmap_name *names, size_t n)
{
    struct perfmap map = {names, n};
    FILE *file = n ? open_map(directory, pid, since) : NULL;
    if (!file) {
        return;
    }
    bool is_whole = read_map(&map, file, now_ms() + patience_ms);
    fclose(file);
    for (size_t i = 0; i < n && !is_whole; i++) { /* another line might have said otherwise */
        free(names[i].function);
        names[i].function = NULL;
    }
}
