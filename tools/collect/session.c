/*
 * The collector's rounds (session.h): opening rings, draining them in order,
 * noticing deaths.  Outside the traced processes; needs nothing of theirs but
 * the shared memory.
 */
#include "collect/session.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "collect/forks.h"
#include "collect/images.h"
#include "collect/memory.h"
#include "collect/own.h"
#include "collect/record.h"
#include "collect/rings.h"
#include "collect/sampler.h"
#include "collect/shares.h"
#include "collect/touched.h"
#include "collect/unseen.h"
#include "memtrace/format.h"

static uint64_t monotonic_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

uint64_t session_clock(const struct collector *collector)
{
    return (monotonic_ns() - collector->start_ns) / 1000;
}

/* Without a store a killed collector cannot be recovered; that is no reason not to trace. */
static void open_store(const struct shared *shared)
{
    int fd = shared_store(shared, true);
    if (fd >= 0 && memory_open_store(fd) != 0) {
        close(fd);
    }
    buffer_resize = memory_resize;
    buffer_release = memory_free;
}

int session_create(struct collector **result, unsigned interval_ms, uint64_t sample_bytes)
{
    struct shared shared;
    int error = shared_create(&shared, sample_bytes);
    if (error) {
        return error;
    }
    open_store(&shared);
    struct collector *collector = memory_zeroed(1, sizeof(*collector));
    memory_set_root(collector);
    collector->shared = shared;
    collector->interval_ms = interval_ms;
    collector->main_status = MT_STATUS_UNKNOWN;
    collector->start_ns = monotonic_ns();
    cgroup_open(&collector->cgroup);
    accounts_init(&collector->accounts);
    collector->accounts.sample_bytes = sample_bytes;
    *result = collector;
    return 0;
}
/* ---- rounds ---- */

static void sample_all(struct collector *collector)
{
    uint64_t sum = 0;
    size_t several = 0, read = 0;
    rings_weigh(collector);
    for (size_t i = 0; i < collector->n_living; i++) {
        struct image *image = collector->living[i];
        if (image->announced && !image->finished) {
            sampler_take(collector, image);
            shared_work(&collector->shared);
            sum += image->rss - shares_elsewhere(image, image->rss);
            several++;
            read += image->share.rss != 0;
        }
    }
    collector->at_once |= several > 1;
    if (several && read == several) {
        collector->were_several |= several > 1;
        collector->max_pss = sum > collector->max_pss ? sum : collector->max_pss;
    }
    shares_take(collector);
    touched_take(collector);
}

/* A mark that was put into the box from outside. */
static void take_mark(struct collector *collector)
{
    struct mt_control *control = collector->shared.control;
    if (atomic_load_explicit(&control->mark_state, memory_order_acquire) != MT_BOX_POSTED) {
        return;
    }
    uint32_t size = control->mark_size;
    if (size && size <= MT_MARK_MAX) {
        uint32_t name =
            definitions_string(&collector->accounts.definitions, control->mark_name, size);
        record_mark(collector, name, session_clock(collector));
    }
    atomic_store(&control->mark_state, MT_BOX_EMPTY);
}

uint64_t session_poll(struct collector *collector)
{
    uint64_t now = session_clock(collector);
    if (now - collector->now_us >= 1000) {
        collector->now_us = now;
        atomic_store_explicit(&collector->shared.control->clock_us, now, memory_order_relaxed);
    }
    rings_open(collector);
    uint64_t taken = rings_drain(collector);
    take_mark(collector);
    if (now - collector->sampled_us >= collector->interval_ms * 1000ull) {
        collector->sampled_us = now;
        images_find_dead(collector);
        sample_all(collector);
    }
    record_flush(collector, now);
    return taken;
}

void session_finish(struct collector *collector)
{
    rings_open(collector);
    rings_bound(collector); /* children that go on may allocate faster than we read */
    while (rings_drain(collector)) {
    }
    images_find_dead(collector);
    for (size_t i = 0; i < collector->n_images; i++) {
        struct image *image = collector->images[i];
        bool is_main = image->pid == collector->main_pid;
        images_finish(collector, image, is_main ? collector->main_status : MT_STATUS_RUNNING);
    }
    collector->n_unseen = unseen_count(collector);
    collector->max_own = own_most(); /* without files: symbols are not read yet */
    record_last(collector);
    shared_close(&collector->shared);
}

static void free_all(struct collector *collector)
{
    for (size_t i = 0; i < collector->n_images; i++) {
        memory_free(collector->images[i]->samples);
        memory_free(collector->images[i]->shares);
        memory_free(collector->images[i]->account.changed);
        forks_free(collector->images[i]);
        memory_free(collector->images[i]);
    }
    memory_free(collector->images);
    memory_free(collector->touched.looks);
    buffer_free(&collector->touched.records.body);
    memory_free(collector->living);
    index_free(&collector->image_index);
    memory_free(collector->rings);
    memory_free(collector->late);
    memory_free(collector->path);
    boundaries_free(&collector->boundaries);
    accounts_free(&collector->accounts);
    memory_free(collector);
}

void session_free(struct collector *collector)
{
    struct shared shared = collector->shared;
    if (!memory_is_stored()) {
        free_all(collector);
    }
    memory_close_store();
    shared_remove(&shared);
}

void session_abandon(struct collector *collector)
{
    shared_close(&collector->shared);
    if (collector->output == SESSION_HAS_OUTPUT) {
        writer_close(&collector->writer);
    }
    session_free(collector);
}

void session_output(struct collector *collector, int fd, const char *path, const char *meta_json)
{
    struct buffer body = {0};
    char *absolute = realpath(path, NULL);
    collector->path = memory_string(absolute ? absolute : path);
    free(absolute);
    writer_open(&collector->writer, fd);
    collector->output = SESSION_HAS_OUTPUT;
    buffer_append(&body, meta_json, strlen(meta_json));
    writer_chunk(&collector->writer, MT_CHUNK_META, &body);
    buffer_free(&body);
    record_start(collector);
}

int session_seal(struct collector *collector, const char *end_json)
{
    struct buffer body = {0};
    buffer_append(&body, end_json, strlen(end_json));
    writer_chunk(&collector->writer, MT_CHUNK_END, &body);
    buffer_free(&body);
    return writer_close(&collector->writer);
}
/* ---- after a kill ---- */

static int reopen_output(struct collector *collector)
{
    char *unfinished = NULL;
    if (asprintf(&unfinished, "%s.new", collector->path) > 0) {
        unlink(unfinished);
        free(unfinished);
    }
    collector->compaction = NULL;
    int fd = open(collector->path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return errno;
    }
    writer_resume(&collector->writer, fd);
    return collector->writer.error;
}

int session_resume(struct collector **result, const char *directory)
{
    struct shared shared;
    int error = shared_adopt(&shared, directory);
    if (error) {
        return error;
    }
    int fd = shared_store(&shared, false);
    if (fd < 0) { /* rings alone do not say what was live before */
        error = errno;
        shared_close(&shared);
        shared_remove(&shared);
        return error;
    }
    struct stat status;
    if (flock(fd, LOCK_EX | LOCK_NB) != 0 || fstat(fd, &status) != 0 || !status.st_nlink) {
        close(fd);
        return EAGAIN; /* another one is at it, or has just done it */
    }
    struct collector *collector = memory_reopen_store(fd);
    if (!collector || collector->output != SESSION_HAS_OUTPUT) {
        close(fd);
        return EPROTO;
    }
    buffer_resize = memory_resize;
    buffer_release = memory_free;
    collector->shared = shared;
    collector->cgroup = (struct cgroup){.usage = -1};
    rings_reopen(collector);
    images_reopen(collector);
    *result = collector;
    error = reopen_output(collector);
    definitions_reopen(&collector->accounts.definitions, &collector->writer);
    record_resume(collector);
    return error;
}
