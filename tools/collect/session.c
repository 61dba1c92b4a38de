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
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "collect/memory.h"
#include "collect/record.h"
#include "collect/regions.h"
#include "collect/sampler.h"
#include "memtrace/format.h"

#define BATCH_WORDS 16384u
#define THREADS_MAX 512u /* of a process, by name; the others share one */

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

int session_create(struct collector **result, unsigned interval_ms)
{
    struct shared shared;
    int error = shared_create(&shared);
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
    *result = collector;
    return 0;
}

/* ---- images ---- */

static struct image *find_image(struct collector *collector, uint32_t number)
{
    for (size_t i = collector->n_images; i-- > 0;) {
        if (collector->images[i]->number == number) {
            return collector->images[i];
        }
    }
    return NULL;
}

static struct image *living_image_of(struct collector *collector, int pid)
{
    for (size_t i = collector->n_images; i-- > 0;) {
        if (collector->images[i]->pid == pid && !collector->images[i]->finished) {
            return collector->images[i];
        }
    }
    return NULL;
}

static uint32_t process_of_pid(struct collector *collector, int pid)
{
    for (size_t i = collector->n_images; i-- > 0;) {
        if (collector->images[i]->pid == pid) {
            return collector->images[i]->process;
        }
    }
    return 0;
}

static void finish_image(struct collector *collector, struct image *image, int status);

static struct image *make_image(
    struct collector *collector, int pid, uint32_t number, uint32_t parent_number)
{
    struct image *before = living_image_of(collector, pid);
    if (before) { /* it became this one by exec */
        finish_image(collector, before, MT_STATUS_EXEC);
    }
    struct image *image = memory_zeroed(1, sizeof(*image));
    image->number = number;
    image->parent_number = parent_number;
    image->pid = pid;
    image->status = MT_STATUS_UNKNOWN;
    image->was_paused = collector->shared.control->flags & MT_SESSION_PAUSED;
    image->start_us = session_clock(collector);
    image->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    image->statm = sampler_open(pid);
    account_init(&image->account);
    collector->images = memory_grow(collector->images, &collector->images_capacity,
        collector->n_images + 1, sizeof(*collector->images));
    collector->images[collector->n_images++] = image;
    return image;
}

static bool process_is_dead(const struct image *image)
{
    if (image->pidfd >= 0) {
        struct pollfd fd = {.fd = image->pidfd, .events = POLLIN};
        return poll(&fd, 1, 0) > 0;
    }
    return kill(image->pid, 0) != 0 && errno == ESRCH;
}

/* ---- what the drain asks ---- */

static uint32_t define_python(struct definitions *definitions, uint64_t version)
{
    char text[32];
    if (!version) {
        return 0;
    }
    int length = snprintf(text, sizeof(text), "%u.%u.%u", (unsigned)(version >> 24 & 0xff),
        (unsigned)(version >> 16 & 0xff), (unsigned)(version >> 8 & 0xff));
    return definitions_string(definitions, text, (uint32_t)length);
}

static void on_process(struct collector *collector, struct ring *ring, uint64_t w0, uint64_t w1)
{
    struct image *image = ring->image;
    struct definitions *definitions = &collector->accounts.definitions;
    uint32_t path = (uint32_t)(w1 >> 32), size = (uint32_t)ring->text.size;
    if (image->announced || path > size) {
        return;
    }
    struct image *parent =
        image->parent_number ? find_image(collector, image->parent_number) : NULL;
    uint32_t command = size - path;
    if (command && ring->text.data[size - 1] == 0) {
        command--;
    }
    struct process_record record = {
        .pid = image->pid,
        .parent = parent ? parent->process : process_of_pid(collector, (int)(uint32_t)w0),
        .start_us = image->start_us,
        .origin = image->parent_number ? MT_ORIGIN_FORK : MT_ORIGIN_EXEC,
        .path = definitions_string(definitions, ring->text.data, path),
        .command = definitions_string(definitions, ring->text.data + path, command),
        .python = define_python(definitions, (uint32_t)w1),
        .traced = (int)(w0 >> 32),
    };
    image->process = definitions_process(definitions, &record);
    accounts_process(&collector->accounts, image->process, &image->account);
    image->announced = true;
    collector->untraced_python |= record.traced == MT_PYTHON_UNKNOWN;
}

static uint32_t on_thread(struct collector *collector, struct ring *ring, int tid)
{
    struct image *image = ring->image;
    struct definitions *definitions = &collector->accounts.definitions;
    if (ring->thread && ring->tid == tid) {
        return ring->thread;
    }
    ring->tid = tid;
    if (image->n_threads++ < THREADS_MAX) {
        uint32_t name = tid == image->pid ? definitions_string(definitions, "main", 4) : 0;
        return definitions_thread(definitions, image->process, tid, name, ring->time_us);
    }
    if (!image->other_threads) {
        uint32_t name = definitions_string(definitions, "other threads", 13);
        image->other_threads =
            definitions_thread(definitions, image->process, 0, name, ring->time_us);
    }
    return image->other_threads;
}

static void on_end(struct collector *collector, struct ring *ring)
{
    struct image *image = ring->image;
    if (!image->has_end) {
        image->has_end = true;
        record_end(collector, image, ring->time_us);
    }
}

static void on_mark(struct collector *collector, struct ring *ring, uint32_t name)
{
    record_mark(collector, name, ring->time_us);
}

static void on_pause(struct collector *collector, struct ring *ring, uint32_t question)
{
    regions_answer(ring, question, NULL, 0);
}

static void on_ask(struct collector *collector, struct ring *ring, uint32_t question)
{
    const struct account *account = &ring->image->account;
    uint64_t answers[2] = {account->now.python + account->now.native, account->peak.best};
    regions_answer(ring, question, answers, 2);
}

static bool on_reached(struct collector *collector, uint32_t slot, uint64_t position)
{
    if (slot >= collector->n_slots) {
        return !position; /* about to be opened */
    }
    struct ring *ring = collector->rings[slot];
    return !ring || ring->tail >= position;
}

static bool on_has_gap(struct collector *collector, const struct image *image)
{
    for (uint32_t slot = 0; slot < collector->n_slots; slot++) {
        const struct ring *ring = collector->rings[slot];
        if (ring && ring->image == image && atomic_load(&ring->shared->lost_events)) {
            return true;
        }
    }
    return false;
}

static const struct drain_events drain_events = {on_process, on_thread, on_end, on_reached,
    on_has_gap, on_mark, regions_begin, regions_end, on_pause, on_ask};

void session_adopt(struct collector *collector, int pid, const char *path, const char *command)
{
    struct definitions *definitions = &collector->accounts.definitions;
    struct image *image = make_image(collector, pid, UINT32_MAX, 0);
    struct process_record record = {.pid = pid,
        .start_us = image->start_us,
        .path = definitions_string(definitions, path, (uint32_t)strlen(path)),
        .command = definitions_string(definitions, command, (uint32_t)strlen(command))};
    image->process = definitions_process(definitions, &record);
    accounts_process(&collector->accounts, image->process, &image->account);
    image->announced = true;
}

/* ---- rings ---- */

/* False while the slot is still being made. */
static bool open_ring(struct collector *collector, uint32_t slot)
{
    const struct mt_slot *entry = &collector->shared.control->slots[slot];
    if (atomic_load_explicit(&entry->state, memory_order_acquire) != MT_SLOT_READY) {
        return false;
    }
    struct mt_ring *shared = shared_map_ring(&collector->shared, slot);
    if (!shared) {
        return true;
    }
    struct image *image = find_image(collector, shared->image);
    struct ring *ring = memory_zeroed(1, sizeof(*ring));
    ring->shared = shared;
    ring->slot = slot;
    ring->words = (uint64_t *)((uint8_t *)shared + MT_RING_HEADER);
    ring->mask = shared->words - 1;
    ring->time_us = session_clock(collector);
    ring->image =
        image ? image : make_image(collector, shared->pid, shared->image, shared->parent_image);
    collector->rings[slot] = ring;
    return true;
}

static void open_rings(struct collector *collector)
{
    uint32_t used = atomic_load(&collector->shared.control->slots_used);
    used = used < MT_SLOTS ? used : MT_SLOTS;
    collector->rings = memory_grow(
        collector->rings, &collector->rings_capacity, used + 1, sizeof(*collector->rings));
    for (uint32_t slot = collector->n_slots; slot < used; slot++) {
        if (!open_ring(collector, slot)) {
            /* Later ones may be ready: an earlier one may never be, if its maker was killed. */
            const struct mt_slot *entry = &collector->shared.control->slots[slot];
            if (!entry->pid || kill(entry->pid, 0) == 0 || errno != ESRCH) {
                return;
            }
        }
        collector->n_slots = slot + 1;
    }
}

static void close_ring(struct collector *collector, struct ring *ring)
{
    collector->rings[ring->slot] = NULL;
    shared_unmap_ring(&collector->shared, ring->shared);
    shared_remove_ring(&collector->shared, ring->slot);
    drain_free(ring);
    memory_free(ring);
}

/* Gives the room back, and wakes the producer if it sleeps for it. */
static void publish_tail(struct ring *ring)
{
    struct mt_ring *shared = ring->shared;
    atomic_store_explicit(&shared->tail, ring->tail, memory_order_seq_cst);
    if (atomic_load(&shared->waiting)) {
        atomic_store(&shared->waiting, 0);
        syscall(SYS_futex, &shared->waiting, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
    }
}

static uint64_t drain_rings(struct collector *collector, const struct image *only)
{
    uint64_t total = 0;
    for (uint32_t slot = 0; slot < collector->n_slots; slot++) {
        struct ring *ring = collector->rings[slot];
        if (!ring || (only && ring->image != only)) {
            continue;
        }
        uint64_t taken =
            drain_ring(collector, &collector->accounts, ring, &drain_events, BATCH_WORDS);
        if (taken) {
            publish_tail(ring);
        }
        total += taken;
    }
    return total;
}

/* ---- ends ---- */

/* The hole that the fewest later numbers wait behind: that event never happened. */
static bool skip_hole(struct collector *collector, const struct image *image)
{
    for (uint32_t slot = 0; slot < collector->n_slots; slot++) {
        struct ring *ring = collector->rings[slot];
        if (ring && ring->image == image && drain_skip_hole(ring)) {
            return true;
        }
    }
    return false;
}

static void release_blocks(struct collector *collector, struct image *image)
{
    struct accounts *accounts = &collector->accounts;
    for (uint64_t i = 0; i < image->blocks.capacity; i++) {
        struct block block;
        if (heapmap_take(&image->blocks, image->blocks.entries[i].address, &block)) {
            accounts_remove(accounts, &image->account, block.cell, block.size);
        }
    }
    for (size_t i = 0; i < image->maps.count; i++) {
        const struct range *range = &image->maps.ranges[i];
        accounts_remove(accounts, &image->account, range->cell, range->end - range->start);
    }
}

static void finish_image(struct collector *collector, struct image *image, int status)
{
    if (image->finished) {
        return;
    }
    image->dead = true;
    do {
        while (drain_rings(collector, image)) {
        }
    } while (skip_hole(collector, image));
    for (uint32_t slot = 0; slot < collector->n_slots; slot++) {
        struct ring *ring = collector->rings[slot];
        if (ring && ring->image == image) {
            drain_cancel_moves(&collector->accounts, ring);
            drain_last_gap(ring);
        }
    }
    image->end_us = session_clock(collector);
    image->finished = true;
    image->status = status;
    regions_close(collector, image);
    if (status == MT_STATUS_EXEC) {
        release_blocks(collector, image);
    }
    if (image->announced) {
        record_image_end(collector, image);
    }
    if (status != MT_STATUS_EXEC) {
        release_blocks(collector, image);
    }
    for (uint32_t slot = 0; slot < collector->n_slots; slot++) {
        struct ring *ring = collector->rings[slot];
        if (ring && ring->image == image) {
            close_ring(collector, ring);
        }
    }
    heapmap_free(&image->blocks);
    rangemap_free(&image->maps);
    if (image->statm >= 0) {
        close(image->statm);
    }
    if (image->pidfd >= 0) {
        close(image->pidfd);
    }
}

static void find_dead(struct collector *collector)
{
    for (size_t i = 0; i < collector->n_images; i++) {
        struct image *image = collector->images[i];
        if (!image->finished && image->pid != collector->main_pid && process_is_dead(image)) {
            finish_image(collector, image, MT_STATUS_UNKNOWN);
        }
    }
}

/* ---- rounds ---- */

static void sample_all(struct collector *collector)
{
    for (size_t i = 0; i < collector->n_images; i++) {
        struct image *image = collector->images[i];
        if (image->announced && !image->finished) {
            sampler_take(collector, image);
        }
    }
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
    open_rings(collector);
    uint64_t taken = drain_rings(collector, NULL);
    take_mark(collector);
    if (now - collector->sampled_us >= collector->interval_ms * 1000ull) {
        collector->sampled_us = now;
        find_dead(collector);
        sample_all(collector);
    }
    record_flush(collector, now);
    return taken;
}

void session_finish(struct collector *collector)
{
    open_rings(collector);
    while (drain_rings(collector, NULL)) {
    }
    find_dead(collector);
    for (size_t i = 0; i < collector->n_images; i++) {
        struct image *image = collector->images[i];
        bool is_main = image->pid == collector->main_pid;
        finish_image(collector, image, is_main ? collector->main_status : MT_STATUS_RUNNING);
    }
    record_last(collector);
    shared_close(&collector->shared);
}

void session_free(struct collector *collector)
{
    struct shared shared = collector->shared;
    for (size_t i = 0; i < collector->n_images; i++) {
        memory_free(collector->images[i]->samples);
        memory_free(collector->images[i]->account.changed);
        memory_free(collector->images[i]);
    }
    memory_free(collector->images);
    memory_free(collector->rings);
    memory_free(collector->path);
    boundaries_free(&collector->boundaries);
    accounts_free(&collector->accounts);
    memory_free(collector);
    memory_close_store();
    shared_remove(&shared);
}

void session_abandon(struct collector *collector)
{
    shared_close(&collector->shared);
    if (collector->has_output) {
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
    collector->has_output = true;
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

/* Descriptors and addresses were the dead collector's. */
static void reopen_rings(struct collector *collector)
{
    for (uint32_t slot = 0; slot < collector->n_slots; slot++) {
        struct ring *ring = collector->rings[slot];
        struct mt_ring *shared = ring ? shared_map_ring(&collector->shared, slot) : NULL;
        if (!shared) {
            collector->rings[slot] = NULL;
            continue;
        }
        ring->shared = shared;
        ring->words = (uint64_t *)((uint8_t *)shared + MT_RING_HEADER);
    }
}

static void reopen_images(struct collector *collector)
{
    for (size_t i = 0; i < collector->n_images; i++) {
        struct image *image = collector->images[i];
        image->pidfd = image->statm = -1;
        if (!image->finished && !process_is_dead(image)) {
            image->pidfd = (int)syscall(SYS_pidfd_open, image->pid, 0);
        }
    }
}

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
    struct collector *collector = memory_reopen_store(fd);
    if (!collector || !collector->has_output) {
        close(fd);
        return EPROTO;
    }
    buffer_resize = memory_resize;
    buffer_release = memory_free;
    collector->shared = shared;
    collector->cgroup = (struct cgroup){.usage = -1};
    reopen_rings(collector);
    reopen_images(collector);
    *result = collector;
    return reopen_output(collector);
}

uint64_t session_agent_bytes(const struct collector *collector, const struct image *image)
{
    uint64_t bytes = 0;
    for (uint32_t slot = 0; slot < collector->n_slots; slot++) {
        const struct ring *ring = collector->rings[slot];
        if (ring && ring->image == image) {
            uint64_t data = atomic_load_explicit(&ring->shared->head, memory_order_relaxed) * 8;
            uint64_t whole = ring->shared->words * 8;
            bytes += MT_RING_HEADER + (data < whole ? data : whole) +
                     atomic_load_explicit(&ring->shared->agent_bytes, memory_order_relaxed);
        }
    }
    return bytes;
}
