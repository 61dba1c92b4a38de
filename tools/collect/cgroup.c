/*
 * Reading control groups (cgroup.h).  In the collector.
 */
#include "collect/cgroup.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATH_SIZE 4200

static uint64_t read_number(int fd)
{
    char text[32];
    ssize_t size = fd >= 0 ? pread(fd, text, sizeof(text) - 1, 0) : -1;
    text[size > 0 ? size : 0] = 0;
    return strtoull(text, NULL, 10); /* "max" is 0 */
}

static uint64_t read_number_of(const char *directory, const char *name)
{
    char path[PATH_SIZE + 64];
    snprintf(path, sizeof(path), "%s/%s", directory, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    uint64_t number = read_number(fd);
    if (fd >= 0) {
        close(fd);
    }
    return number;
}

static void consider(
    struct cgroup *cgroup, const char *directory, const char *limit_name, const char *usage_name)
{
    char path[PATH_SIZE + 64];
    uint64_t limit = read_number_of(directory, limit_name);
    if (!limit || limit >= 1ull << 60 || (cgroup->limit && cgroup->limit <= limit)) {
        return;
    }
    snprintf(path, sizeof(path), "%s/%s", directory, usage_name);
    int usage = open(path, O_RDONLY | O_CLOEXEC);
    if (usage >= 0) {
        if (cgroup->usage >= 0) {
            close(cgroup->usage);
        }
        *cgroup = (struct cgroup){limit, usage};
    }
}

/* The group itself and all above it, up to the mount. */
static void walk_up(struct cgroup *cgroup, const char *mount, const char *group, const char *limit,
    const char *usage)
{
    char directory[PATH_SIZE];
    size_t root = strlen(mount);
    snprintf(directory, sizeof(directory), "%s%.4000s", mount, strcmp(group, "/") ? group : "");
    for (;;) {
        consider(cgroup, directory, limit, usage);
        char *slash = strrchr(directory, '/');
        if (!slash || (size_t)(slash - directory) < root) {
            return;
        }
        *slash = 0;
    }
}

void cgroup_open(struct cgroup *cgroup)
{
    char *line = NULL;
    size_t room = 0;
    FILE *file = fopen("/proc/self/cgroup", "re");
    *cgroup = (struct cgroup){.usage = -1};
    while (file && getline(&line, &room, file) > 0) {
        char *controllers = strchr(line, ':');
        char *group = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!group) {
            continue;
        }
        *group++ = 0;
        group[strcspn(group, "\n")] = 0;
        if (!controllers[1]) {
            walk_up(cgroup, "/sys/fs/cgroup", group, "memory.max", "memory.current");
        } else if (strstr(controllers, "memory")) {
            walk_up(cgroup, "/sys/fs/cgroup/memory", group, "memory.limit_in_bytes",
                "memory.usage_in_bytes");
        }
    }
    free(line);
    if (file) {
        fclose(file);
    }
}

bool cgroup_is_tight(const struct cgroup *cgroup)
{
    return cgroup->limit && read_number(cgroup->usage) > cgroup->limit - cgroup->limit / 16;
}
