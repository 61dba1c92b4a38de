/*
 * The size of a trace over hours, on a virtual clock: sites that churn, cache and
 * leak, through the collector's own accounts, boundaries and compaction.
 *
 *     boundaries SECONDS SITES    prints the size of the file and what is in it
 *
 * Each second every site allocates and frees, as at 5 million events a second;
 * of events that cancel out within a second only some are played.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "collect/memory.h"
#include "collect/record.h"
#include "collect/session.h"
#include "collect/sources.h"
#include "memtrace/format.h"

#define HELD 4        /* blocks that an ordinary site holds */
#define STEP_US 50000 /* of the virtual clock */

static uint64_t virtual_us;

uint64_t session_clock(const struct collector *collector)
{
    return virtual_us;
}

struct reading *sources_read(struct collector *collector)
{
    return NULL;
}

void sources_write(struct collector *collector, struct reading *reading)
{
}

struct held {
    uint32_t cell, size;
};

static struct collector collector;
static struct counting counting;
static struct image image = {.counting = &counting};
static struct held *held;
static uint64_t random_state = 88172645463325252ull, events;

static uint32_t random_below(uint32_t limit)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 32) % limit;
}

static void start(const char *path, uint32_t sites)
{
    struct buffer meta = {0};
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0) {
        perror(path);
        exit(1);
    }
    accounts_init(&collector.accounts);
    writer_open(&collector.writer, fd);
    collector.path = memory_string(path);
    collector.cgroup.usage = -1;
    buffer_append(&meta, "{}", 2);
    writer_chunk(&collector.writer, MT_CHUNK_META, &meta);
    buffer_free(&meta);
    struct process_record process = {.pid = 1, .traced = MT_PYTHON_TRACED};
    image.process = definitions_process(&collector.accounts.definitions, &process);
    account_init(&image.account);
    accounts_process(&collector.accounts, image.process, &image.account);
    collector.images = memory_grow(NULL, &collector.images_capacity, 1, sizeof(struct image *));
    collector.images[collector.n_images++] = &image;
    for (uint32_t i = 0; i < sites; i++) {
        struct node_record node = {.parent = i / 3, .line = i};
        uint32_t id = definitions_node(&collector.accounts.definitions, &node);
        struct site_record site = {
            .process = image.process, .domain = MT_DOMAIN_OBJ, .node = id};
        definitions_site(&collector.accounts.definitions, &site);
    }
    held = calloc((size_t)sites * HELD, sizeof(*held));
    record_start(&collector);
}

/* A block of the site takes the place of another; of one site in 200 the others leak. */
static void churn(uint32_t site)
{
    struct held *slot = &held[(size_t)site * HELD + random_below(HELD)];
    bool leaks = site % 200 == 0 && random_below(50) == 0;
    if (slot->cell && !leaks) {
        accounts_remove(&collector.accounts, &image.account, slot->cell, slot->size);
        events++;
    }
    slot->size = 16 + 16 * random_below(20);
    slot->cell = accounts_cell(&collector.accounts, 1 + site);
    accounts_add(&collector.accounts, &image.account, slot->cell, slot->size, virtual_us);
    events++;
}

static void sample(void)
{
    image.samples = memory_grow(
        image.samples, &image.samples_capacity, image.n_samples + 1, sizeof(*image.samples));
    image.samples[image.n_samples++] = (struct sample){.time_us = virtual_us,
        .rss = image.account.now.python * 5 / 4 / 4096 * 4096,
        .totals = image.account.now,
        .high = image.account.high};
}

static void play(uint32_t seconds, uint32_t sites)
{
    uint64_t steps = (uint64_t)seconds * (1000000 / STEP_US);
    uint32_t next = 0, per_step = sites / (1000000 / STEP_US);
    per_step = per_step < 5000 ? 5000 : per_step;
    for (uint64_t step = 0; step < steps; step++) {
        for (uint32_t i = 0; i < per_step; i++) {
            churn(next);
            next = (next + 1) % sites;
        }
        virtual_us += STEP_US;
        for (int i = 0; i < STEP_US / 10000; i++) {
            sample();
        }
        record_flush(&collector, virtual_us);
    }
}

static double processor_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    char path[] = "/tmp/memtrace-boundaries-XXXXXX";
    struct stat status;
    if (argc != 3 || mkstemp(path) < 0) {
        fputs("usage: boundaries SECONDS SITES\n", stderr);
        return 2;
    }
    uint32_t seconds = (uint32_t)atoi(argv[1]), sites = (uint32_t)atoi(argv[2]);
    start(path, sites);
    play(seconds, sites);
    record_end(&collector, &image, virtual_us);
    record_last(&collector);
    if (stat(path, &status) != 0 || writer_close(&collector.writer) != 0) {
        perror(path);
        return 1;
    }
    printf("%u s, %u sites: %.2f MB, %zu boundaries retained, %u cells, %.0f million events "
           "played, %.0f s of processor time\n",
        seconds, sites, (double)status.st_size / 1e6, collector.boundaries.count,
        collector.accounts.n_cells, (double)events / 1e6, processor_seconds());
    unlink(path);
    return 0;
}
