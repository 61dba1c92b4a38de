/*
 * PSS and USS from /proc/PID/smaps_rollup (shares.h).  In the collector, after
 * the samples of RSS.
 */
#include "collect/shares.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "collect/memory.h"

#define BOUND 100u /* of so much time one part */
#define EVERY_US 1000000u
#define AFTER_CHANGE_US 100000u
#define OF_AGE 1000u           /* not more often than each so many parts of the time so far */
#define TOO_LARGE (8ull << 30) /* the walk would keep the process's threads waiting too long */

static uint64_t field(const char *text, const char *name)
{
    const char *line = strstr(text, name);
    return line ? strtoull(line + strlen(name), NULL, 10) * 1024 : 0;
}

static uint64_t less(uint64_t bytes, uint64_t ours)
{
    return bytes > ours ? bytes - ours : 0;
}

/* Without what is memtrace's: its rings are in the collector as well. */
static bool read_share(const struct image *image, struct share *share)
{
    char path[64], text[2048];
    snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", image->pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
    if (fd >= 0) {
        close(fd);
    }
    if (size <= 0) {
        return false;
    }
    text[size] = 0;
    uint64_t rings = image->ring_bytes, own = image->agent_bytes - rings;
    share->rss = less(field(text, "\nRss:"), own + rings);
    share->pss = less(field(text, "\nPss:"), own + rings / 2);
    share->uss = less(field(text, "\nPrivate_Clean:") + field(text, "\nPrivate_Dirty:"), own);
    return share->rss != 0;
}

static uint64_t period(const struct collector *collector, const struct image *image)
{
    uint64_t last = image->share.rss, now = image->rss;
    uint64_t change = last > now ? last - now : now - last;
    uint64_t least = change > last / 8 ? AFTER_CHANGE_US : EVERY_US;
    uint64_t of_age = collector->now_us / OF_AGE;
    return least > of_age ? least : of_age;
}

/* How long it has been due, plus one; 0: it is not. */
static uint64_t overdue(const struct collector *collector, const struct image *image)
{
    if (!image->announced || image->finished || !image->rss || image->rss > TOO_LARGE) {
        return 0;
    }
    if (!image->shares_us) {
        return UINT64_MAX;
    }
    uint64_t due = image->shares_us + period(collector, image);
    return collector->now_us >= due ? collector->now_us - due + 1 : 0;
}

static struct image *most_overdue(struct collector *collector)
{
    struct image *found = NULL;
    uint64_t most = 0;
    for (size_t i = 0; i < collector->n_living; i++) {
        uint64_t time = overdue(collector, collector->living[i]);
        if (time > most) {
            most = time;
            found = collector->living[i];
        }
    }
    return found;
}

/* What we have used of a processor; on the clock others would count as well. */
static uint64_t cpu_us(void)
{
    struct timespec used = {0};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return (uint64_t)used.tv_sec * 1000000 + (uint64_t)used.tv_nsec / 1000;
}

void shares_take(struct collector *collector)
{
    struct share share = {0};
    struct image *image =
        collector->now_us >= collector->shares_due_us ? most_overdue(collector) : NULL;
    if (!image) {
        return;
    }
    uint64_t start = cpu_us();
    bool good = read_share(image, &share);
    image->shares_us = session_clock(collector);
    collector->shares_due_us = image->shares_us + BOUND * (cpu_us() - start);
    if (good) {
        share.time_us = image->shares_us;
        image->share = share;
        image->shares = memory_grow(
            image->shares, &image->shares_capacity, image->n_shares + 1, sizeof(*image->shares));
        image->shares[image->n_shares++] = share;
    }
}

uint64_t shares_elsewhere(const struct image *image, uint64_t rss)
{
    uint64_t elsewhere = less(image->share.rss, image->share.pss);
    return elsewhere < rss ? elsewhere : rss;
}

bool shares_put(struct image *image, struct buffer *body)
{
    struct share before = {0};
    if (!image->n_shares) {
        return false;
    }
    buffer_varint(body, image->process);
    buffer_varint(body, image->n_shares);
    for (size_t i = 0; i < image->n_shares; i++) {
        const struct share *share = &image->shares[i];
        buffer_svarint(body, (int64_t)(share->time_us - before.time_us));
        buffer_svarint(body, (int64_t)(share->rss - before.rss));
        buffer_svarint(body, (int64_t)(share->pss - before.pss));
        buffer_svarint(body, (int64_t)(share->uss - before.uss));
        before = *share;
    }
    image->n_shares = 0;
    return true;
}
