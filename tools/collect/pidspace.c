/*
 * Finding processes of other PID namespaces (pidspace.h).  In the collector, once
 * for each program that is in one: /proc says of all processes what their numbers
 * are in the namespaces below ours.
 */
#include "collect/pidspace.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static uint64_t space_of(const char *pid)
{
    char path[64];
    struct stat status;
    snprintf(path, sizeof(path), "/proc/%.20s/ns/pid", pid);
    return stat(path, &status) == 0 ? status.st_ino : 0;
}

/* The last number of a line of /proc/PID/status; 0 if it is not there. */
static int last_number(const char *pid, const char *field)
{
    char path[64], line[512];
    int number = 0;
    snprintf(path, sizeof(path), "/proc/%.20s/status", pid);
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof(line), file)) {
        if (strncmp(line, field, strlen(field)) == 0) {
            const char *last = strrchr(line, '\t');
            number = last ? atoi(last) : 0;
            break;
        }
    }
    if (file) {
        fclose(file);
    }
    return number;
}

uint64_t pidspace_own(void)
{
    return space_of("self");
}

int pidspace_find(uint64_t space, int pid)
{
    int found = 0;
    struct dirent *entry;
    DIR *directory = opendir("/proc");
    while (directory && !found && (entry = readdir(directory))) {
        const char *name = entry->d_name;
        if (name[0] >= '1' && name[0] <= '9' && space_of(name) == space &&
            last_number(name, "NSpid:") == pid) {
            found = atoi(name);
        }
    }
    if (directory) {
        closedir(directory);
    }
    return found;
}

int pidspace_parent(int pid)
{
    char name[16];
    snprintf(name, sizeof(name), "%d", pid);
    return last_number(name, "PPid:");
}
