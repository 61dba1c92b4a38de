/*
 * RSS from /proc/PID/statm (sampler.h).  In the collector, every 10 ms.
 */
#include "collect/sampler.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "collect/memory.h"
#include "collect/regions.h"

int sampler_open(int pid)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/statm", pid);
    return open(path, O_RDONLY | O_CLOEXEC);
}

/* Resident bytes; 0 once the process is gone. */
static uint64_t read_rss(int statm)
{
    char text[128];
    ssize_t size = statm >= 0 ? pread(statm, text, sizeof(text) - 1, 0) : -1;
    unsigned long long total, resident;
    if (size <= 0) {
        return 0;
    }
    text[size] = 0;
    if (sscanf(text, "%llu %llu", &total, &resident) != 2) {
        return 0;
    }
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

void sampler_take(struct collector *collector, struct image *image)
{
    uint64_t rss = read_rss(image->statm), ours = image->agent_bytes;
    if (!rss) {
        return;
    }
    image->max_agent = ours > image->max_agent ? ours : image->max_agent;
    image->samples = memory_grow(
        image->samples, &image->samples_capacity, image->n_samples + 1, sizeof(*image->samples));
    struct sample *sample = &image->samples[image->n_samples++];
    sample->time_us = session_clock(collector);
    sample->rss = image->rss = rss > ours ? rss - ours : 0;
    sample->totals = image->account.now;
    sample->high = regions_take_high(image);
    if (sample->rss > image->max_rss) {
        image->max_rss = sample->rss;
    }
}
