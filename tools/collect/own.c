/*
 * The collector's own memory (own.h), from /proc/self/status.  In the collector.
 */
#include "collect/own.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

struct status {
    uint64_t most, anonymous, file, shared;
};

/* 0: no such line. */
static uint64_t field(const char *text, const char *name)
{
    const char *line = strstr(text, name);
    return line ? strtoull(line + strlen(name), NULL, 10) * 1024 : 0;
}

/* False from kernels that do not tell the kinds apart (before 4.5). */
static bool read_status(struct status *status)
{
    char text[4096];
    int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    ssize_t size = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
    if (fd >= 0) {
        close(fd);
    }
    text[size > 0 ? size : 0] = 0;
    *status = (struct status){field(text, "\nVmHWM:"), field(text, "\nRssAnon:"),
        field(text, "\nRssFile:"), field(text, "\nRssShmem:")};
    return status->anonymous != 0;
}

uint64_t own_bytes(void)
{
    struct status status;
    return read_status(&status) ? status.anonymous + status.shared : 0;
}

uint64_t own_most(void)
{
    struct status status;
    struct rusage usage = {0};
    if (read_status(&status)) {
        return status.most - status.file;
    }
    getrusage(RUSAGE_SELF, &usage);
    return (uint64_t)usage.ru_maxrss * 1024;
}
