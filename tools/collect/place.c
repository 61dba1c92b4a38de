/*
 * Naming and making the trace file (place.h).  In `memtrace run`, before the
 * program starts.
 */
#include "collect/place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "memtrace/format.h"

static void put_field(FILE *out, char field, const char *name, pid_t pid)
{
    char text[128] = "";
    time_t now = time(NULL);
    switch (field) {
    case 'n':
        fputs(name, out);
        break;
    case 'p':
        fprintf(out, "%d", (int)pid);
        break;
    case 'h':
        gethostname(text, sizeof(text) - 1);
        fputs(text, out);
        break;
    case 't':
        strftime(text, sizeof(text), "%Y%m%d-%H%M%S", localtime(&now));
        fputs(text, out);
        break;
    case '%':
        putc('%', out);
        break;
    default:
        fprintf(out, "%%%c", field);
    }
}

static char *expand(const char *pattern, const char *name, pid_t pid)
{
    char *path = NULL;
    size_t size;
    FILE *out = open_memstream(&path, &size);
    for (; out && *pattern; pattern++) {
        if (*pattern == '%' && pattern[1]) {
            put_field(out, *++pattern, name, pid);
        } else {
            putc(*pattern, out);
        }
    }
    if (out) {
        fclose(out);
    }
    return path;
}

static bool is_trace(const char *path)
{
    char magic[MT_TRACE_MAGIC_SIZE];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t size = fd >= 0 ? read(fd, magic, sizeof(magic)) : -1;
    if (fd >= 0) {
        close(fd);
    }
    return size == 0 ||
           (size == sizeof(magic) && memcmp(magic, MT_TRACE_MAGIC, sizeof(magic)) == 0);
}

/* A descriptor, or a negative errno; -EEXIST: something that is no trace is in the way. */
static int create(const char *path)
{
    struct stat status;
    if (lstat(path, &status) == 0) {
        if (!S_ISREG(status.st_mode) || !is_trace(path)) {
            return -EEXIST;
        }
        if (unlink(path) != 0) {
            return -errno;
        }
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    return fd >= 0 ? fd : -errno;
}

static void complain(const char *path, int error)
{
    if (error == EEXIST) {
        fprintf(stderr, "memtrace: %s: is there and is no trace; name another file\n", path);
    } else {
        fprintf(stderr, "memtrace: %s: %s; name a file that can be written with -o\n", path,
            strerror(error));
    }
}

static char *in_directory(const char *directory, char *name)
{
    char *path = NULL;
    if (name && asprintf(&path, "%s/%s", directory, name) < 0) {
        path = NULL;
    }
    free(name);
    return path;
}

/* Where traces go that nobody gave a name. */
static char *default_path(const char *name, pid_t pid)
{
    const char *directory = getenv("MEMTRACE_DIR");
    char *file = expand("memtrace-%n.%p.mtrace", name, pid);
    return directory && *directory ? in_directory(directory, file) : file;
}

int place_open(const char *pattern, const char *name, pid_t pid, char **path)
{
    *path = pattern ? expand(pattern, name, pid) : default_path(name, pid);
    int fd = *path ? create(*path) : -ENOMEM;
    if (fd < 0 && !pattern && fd != -EEXIST) {
        const char *temporary = getenv("TMPDIR");
        char *elsewhere = in_directory(temporary && *temporary ? temporary : "/tmp",
            expand("memtrace-%n.%p.mtrace", name, pid));
        if (elsewhere && create(elsewhere) >= 0) {
            fprintf(stderr, "memtrace: %s cannot be written%s (%s): it goes to %s\n", *path,
                strchr(*path, '/') ? "" : " here", strerror(-fd), elsewhere);
            unlink(elsewhere);
            free(*path);
            *path = elsewhere;
            fd = create(elsewhere);
        } else {
            free(elsewhere);
        }
    }
    if (fd < 0) {
        complain(*path, -fd);
        return -1;
    }
    return fd;
}

bool place_share(int fd, gid_t group, const char *path)
{
    if (fchown(fd, (uid_t)-1, group) == 0 && fchmod(fd, 0640) == 0) {
        return true;
    }
    fprintf(stderr, "memtrace: %s: cannot be given to that group: %s; name one that you are in\n",
        path, strerror(errno));
    return false;
}
