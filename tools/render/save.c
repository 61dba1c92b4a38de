/*
 * Saving through a temporary file and a rename.  Runs in reports.
 */
#include "render/save.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Closes fd in any case; errno is that of the first failure. */
static bool write_and_close(int fd, const char *data, size_t size)
{
    while (size) {
        ssize_t written = write(fd, data, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0) {
            int saved = errno;
            close(fd);
            errno = saved;
            return false;
        }
        data += written;
        size -= (size_t)written;
    }
    return close(fd) == 0;
}

static bool replace_file(const char *path, const char *data, size_t size)
{
    char temporary[PATH_MAX];
    if (snprintf(temporary, sizeof temporary, "%s.XXXXXX", path) >= (int)sizeof temporary) {
        errno = ENAMETOOLONG;
        return false;
    }
    int fd = mkstemp(temporary);
    if (fd < 0)
        return false;
    mode_t mask = umask(0);
    umask(mask);
    fchmod(fd, 0666 & ~mask);
    if (write_and_close(fd, data, size) && rename(temporary, path) == 0)
        return true;
    int saved = errno;
    unlink(temporary);
    errno = saved;
    return false;
}

bool save_file(const char *path, const char *data, size_t size)
{
    struct stat status;
    char target[PATH_MAX];
    if (stat(path, &status) == 0 && !S_ISREG(status.st_mode)) {
        int fd = open(path, O_WRONLY | O_CLOEXEC);
        return fd >= 0 && write_and_close(fd, data, size);
    }
    return replace_file(realpath(path, target) ? target : path, data, size);
}
