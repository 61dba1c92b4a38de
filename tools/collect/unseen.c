/*
 * Forked processes without a ring (unseen.h).  In the collector.
 */
#include "collect/unseen.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "collect/image.h"

#define PATIENCE_MS 100
#define PAUSE_NS 1000000

static bool are_to_come(const struct mt_control *control)
{
    return (int32_t)(atomic_load(&control->forks_begun) - atomic_load(&control->forks_come)) > 0;
}

void unseen_wait(struct collector *collector)
{
    const struct mt_control *control = collector->shared.control;
    const struct timespec pause = {0, PAUSE_NS};
    for (int i = 0; i < PATIENCE_MS && are_to_come(control); i++) {
        session_poll(collector);
        nanosleep(&pause, NULL);
    }
}

static bool has_ring(const struct collector *collector, int pid)
{
    for (size_t i = 0; i < collector->n_images; i++) {
        if (collector->images[i]->pid == pid) {
            return true;
        }
    }
    return false;
}

/* It lives, and is not another one that got its number. */
static bool has_agent(int pid)
{
    char path[64], line[4096];
    bool found = false;
    snprintf(path, sizeof(path), "/proc/%d/maps", pid);
    FILE *maps = fopen(path, "re");
    while (maps && !found && fgets(line, sizeof(line), maps)) {
        found = strstr(line, "libmemtrace.so");
    }
    if (maps) {
        fclose(maps);
    }
    return found;
}

uint32_t unseen_count(const struct collector *collector)
{
    const struct mt_control *control = collector->shared.control;
    uint32_t count = 0;
    for (uint32_t i = 0; i < MT_FORKED; i++) {
        int pid = atomic_load(&control->forked[i]);
        count += pid > 0 && !has_ring(collector, pid) && has_agent(pid);
    }
    return count;
}
