/*
 * Program images (images.h): their beginning, what their rings say of them, and
 * their end.  In the collector.
 */
#include "collect/images.h"

#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "collect/memory.h"
#include "collect/names.h"
#include "collect/pidspace.h"
#include "collect/record.h"
#include "collect/regions.h"
#include "collect/rings.h"
#include "collect/sampler.h"
#include "collect/spreads.h"
#include "collect/tally.h"
#include "collect/touched.h"
#include "memtrace/format.h"

#define ROUNDS 100u /* of all rings, until those of a parent are as far as a dead child needs */
#define PATIENCE_US 2000000u /* with a dead child whose parent's rings stand still */
#define THREADS_MAX 512u     /* of a process, by name; the others share one */

/* ---- which ---- */

static uint32_t hash_number(uint32_t number)
{
    return index_hash_numbers(number, 0);
}

static bool equal_number(const void *context, uint32_t place, const void *key)
{
    const struct collector *collector = context;
    return collector->images[place - 1]->number == *(const uint32_t *)key;
}

struct image *images_find(struct collector *collector, uint32_t number)
{
    uint32_t place =
        index_find(&collector->image_index, hash_number(number), equal_number, collector, &number);
    return place ? collector->images[place - 1] : NULL;
}

static void add_to_index(struct collector *collector, uint32_t place)
{
    uint32_t number = collector->images[place - 1]->number;
    if (number != UINT32_MAX) { /* adopted ones have none */
        index_add(&collector->image_index, hash_number(number), place);
    }
}

static struct image *living_image_of(struct collector *collector, int pid)
{
    for (size_t i = collector->n_living; i-- > 0;) {
        if (collector->living[i]->pid == pid && !collector->living[i]->finished) {
            return collector->living[i];
        }
    }
    return NULL;
}

static uint32_t process_of_pid(struct collector *collector, int pid)
{
    const struct image *living = living_image_of(collector, pid);
    if (living) {
        return living->process;
    }
    for (size_t i = collector->n_images; i-- > 0;) {
        if (collector->images[i]->pid == pid) {
            return collector->images[i]->process;
        }
    }
    return 0;
}

struct image *images_make(
    struct collector *collector, int pid, uint32_t number, const struct mt_ring *ring)
{
    struct image *before = living_image_of(collector, pid);
    if (before) { /* it became this one by exec */
        images_finish(collector, before, MT_STATUS_EXEC);
    }
    struct image *image = memory_zeroed(1, sizeof(*image));
    image->number = number;
    image->parent_number = ring ? ring->parent_image : 0;
    image->parent_fork = ring ? ring->fork : 0;
    image->pid = image->inner_pid = pid;
    image->status = MT_STATUS_UNKNOWN;
    image->was_paused = collector->shared.control->flags & MT_SESSION_PAUSED;
    image->start_us = session_clock(collector);
    image->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    image->statm = sampler_open(pid);
    image->pagemap = -1;
    image->counting = memory_zeroed(1, sizeof(*image->counting));
    image->log = collector->keeps_events ? memory_zeroed(1, sizeof(*image->log)) : NULL;
    account_init(&image->account);
    collector->images = memory_grow(collector->images, &collector->images_capacity,
        collector->n_images + 1, sizeof(*collector->images));
    collector->images[collector->n_images++] = image;
    add_to_index(collector, (uint32_t)collector->n_images);
    collector->living = memory_grow(collector->living, &collector->living_capacity,
        collector->n_living + 1, sizeof(*collector->living));
    collector->living[collector->n_living++] = image;
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

/* Its number is noted before it is used: a collector that was killed meanwhile has defined it. */
static void define_process(
    struct collector *collector, struct image *image, const struct process_record *record)
{
    struct definitions *definitions = &collector->accounts.definitions;
    if (!image->process) {
        image->process = definitions->n_processes;
    }
    if (image->process == definitions->n_processes) {
        definitions_process(definitions, record);
    }
    accounts_process(&collector->accounts, image->process, &image->account);
    image->announced = true;
}

static void on_process(struct collector *collector, struct ring *ring, uint64_t w0, uint64_t w1)
{
    struct image *image = ring->image;
    struct definitions *definitions = &collector->accounts.definitions;
    uint32_t path = (uint32_t)(w1 >> 32), size = (uint32_t)ring->text.size;
    if (image->announced) {
        return;
    }
    path = path <= size ? path : size;
    struct image *parent =
        image->parent_number ? images_find(collector, image->parent_number) : NULL;
    int parent_pid = image->parent_pid ? image->parent_pid : (int)(uint32_t)w0;
    const uint8_t *text = size ? ring->text.data : (const uint8_t *)"";
    uint32_t command = size - path;
    if (command && text[size - 1] == 0) {
        command--;
    }
    struct process_record record = {
        .pid = image->pid,
        .parent = parent ? parent->process : process_of_pid(collector, parent_pid),
        .start_us = image->start_us,
        .origin = image->parent_number ? MT_ORIGIN_FORK : MT_ORIGIN_EXEC,
        .path = definitions_string(definitions, text, path),
        .command = definitions_string(definitions, text + path, command),
        .python = define_python(definitions, (uint32_t)w1),
        .traced = w0 >> 32 <= MT_PYTHON_UNKNOWN ? (int)(w0 >> 32) : MT_PYTHON_UNKNOWN,
    };
    define_process(collector, image, &record);
    image->was_paused |= parent && parent->was_paused; /* what that left out is not known here */
    if (parent && image->parent_fork) {
        forks_inherit(&collector->accounts, image, parent, image->parent_fork);
    }
    collector->untraced_python |= record.traced == MT_PYTHON_UNKNOWN;
}

static void on_python(struct collector *collector, struct ring *ring, int kind, uint32_t version)
{
    struct definitions *definitions = &collector->accounts.definitions;
    int traced = kind <= MT_PYTHON_UNKNOWN ? kind : MT_PYTHON_UNKNOWN;
    definitions_python(
        definitions, ring->image->process, define_python(definitions, version), traced);
    collector->untraced_python |= traced == MT_PYTHON_UNKNOWN;
}

static uint32_t on_thread(struct collector *collector, struct ring *ring, int tid)
{
    struct image *image = ring->image;
    struct definitions *definitions = &collector->accounts.definitions;
    tid = tid > 0 && tid < PIDSPACE_UNKNOWN ? tid : 0; /* a trace has no others */
    if (ring->thread && ring->tid == tid) {
        return ring->thread;
    }
    ring->tid = tid;
    if (image->n_threads++ < THREADS_MAX) {
        uint32_t name = tid == image->inner_pid ? definitions_string(definitions, "main", 4) : 0;
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

/* Blocks that a thread is moving are in no map. */
static void age_moves(const struct image *image, uint32_t less)
{
    for (struct ring *ring = image->rings; ring; ring = ring->next) {
        for (uint32_t i = 0; i < ring->n_moves; i++) {
            uint16_t *stamp = &ring->moves[i].stamp;
            *stamp = *stamp > less ? (uint16_t)(*stamp - less) : 0;
        }
    }
}

static void on_fork(struct collector *collector, struct ring *ring, uint32_t number)
{
    uint32_t aged;
    forks_begin(ring->image, number, &aged);
    if (aged) {
        age_moves(ring->image, aged);
    }
}

/* Where it is not known what was inherited, every unknown block may have been. */
static bool on_release(struct collector *collector, struct ring *ring, uint64_t address)
{
    struct image *image = ring->image;
    return !image->forks.parent || forks_release(&collector->accounts, image, address, ring->forks);
}

static bool on_reached(struct collector *collector, uint32_t number, uint64_t position)
{
    if (!rings_are_open(collector, number)) {
        return !position; /* about to be opened */
    }
    const struct ring *ring = rings_find(collector, number);
    return !ring || ring->tail >= position;
}

static bool on_has_gap(struct collector *collector, const struct image *image)
{
    const struct ring *ring = image->rings;
    while (ring && !atomic_load(&ring->shared->lost_events)) {
        ring = ring->next;
    }
    return ring != NULL;
}

const struct drain_events images_events = {on_process, on_thread, names_thread, on_python, on_end,
    on_reached, on_has_gap, on_mark, regions_begin, regions_end, on_pause, on_ask, on_fork,
    on_release};

void session_adopt(struct collector *collector, int pid, const char *path, const char *command)
{
    struct definitions *definitions = &collector->accounts.definitions;
    struct image *image = images_make(collector, pid, UINT32_MAX, NULL);
    struct process_record record = {.pid = pid,
        .start_us = image->start_us,
        .path = definitions_string(definitions, path, (uint32_t)strlen(path)),
        .command = definitions_string(definitions, command, (uint32_t)strlen(command))};
    define_process(collector, image, &record);
}
/* ---- ends ---- */

/* What a dead process took a number for and did not write never happened. */
static bool skip_hole(const struct image *image)
{
    struct ring *first = NULL;
    uint64_t smallest = UINT64_MAX;
    for (struct ring *ring = image->rings; ring; ring = ring->next) {
        uint64_t hole = drain_hole(ring);
        if (hole < smallest) {
            first = ring;
            smallest = hole;
        }
    }
    if (first) {
        drain_skip_hole(first);
    }
    return first != NULL;
}

static bool waits_for_other(const struct collector *collector, const struct image *image)
{
    for (const struct ring *ring = image->rings; ring; ring = ring->next) {
        uint32_t number;
        if (drain_waits_for_ring(ring, &number)) {
            const struct ring *other = rings_find(collector, number);
            if (other && other->image != image) {
                return true;
            }
        }
    }
    return false;
}

/* What a child does comes after what its parent had done: that is in the parent's rings, though
   perhaps not in the first batch.  What a living process has a number for and has not written is
   not passed over: what comes after it did not happen before the end. */
static void drain_to_the_last(struct collector *collector, const struct image *image)
{
    unsigned rounds = 0;
    bool more = true;
    while (more) {
        while (rings_drain_of(collector, image)) {
        }
        more = (waits_for_other(collector, image) && rounds++ < ROUNDS && rings_drain(collector)) ||
               (image->dead && skip_hole(image));
    }
}

struct release {
    struct accounts *accounts;
    struct account *account;
};

static void release_block(void *context, const struct block *block)
{
    const struct release *release = context;
    if (release->accounts->sample_bytes) {
        spreads_remove(release->accounts, release->account, block);
    } else {
        accounts_remove(release->accounts, release->account, block->cell, block->size);
    }
}

/* The map stays: children may have inherited what is in it. */
static void release_blocks(struct collector *collector, struct image *image)
{
    struct accounts *accounts = &collector->accounts;
    struct release release = {accounts, &image->account};
    heapmap_each(&image->blocks, release_block, &release);
    forks_let_go(accounts, image);
    for (size_t i = 0; i < image->maps.count; i++) {
        const struct range *range = &image->maps.ranges[i];
        accounts_remove(accounts, &image->account, range->cell, range->end - range->start);
    }
}

/* Forgotten first: after a kill in between it is only lost. */
static void give_up(void **memory)
{
    void *was = *memory;
    *(void *volatile *)memory = NULL;
    memory_free(was);
}

void images_finish(struct collector *collector, struct image *image, int status)
{
    if (image->finished) {
        return;
    }
    image->dead = status == MT_STATUS_EXEC || process_is_dead(image);
    drain_to_the_last(collector, image);
    for (struct ring *ring = image->rings; ring; ring = ring->next) {
        drain_cancel_moves(&collector->accounts, ring);
        drain_last_gap(ring);
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
    if (image->log) {
        eventlog_over(image->log, image->end_us);
        record_log(collector, image);
        eventlog_free(image->log);
        image->log = NULL;
    }
    while (image->rings) {
        rings_close(collector, image->rings);
    }
    if (image->process) {
        collector->accounts.definitions.processes[image->process].is_over = true;
        collector->rows_over += image->account.n_changed;
    }
    forks_leave(image, false);
    rangemap_free(&image->maps);
    image->samples_capacity = image->shares_capacity = 0;
    give_up((void **)&image->shares);
    give_up((void **)&image->samples);
    give_up((void **)&image->counting);
    touched_close(image);
    if (image->statm >= 0) {
        close(image->statm);
    }
    if (image->pidfd >= 0) {
        close(image->pidfd);
    }
}

#define LATE_US 10000000u /* a forked child that has not been seen by then does not count */

/* The parent's rings may stand still for a moment, until a thread of it that has taken a number
   writes its event: there is time, as that thread lives. */
static bool is_waiting(struct collector *collector, struct image *image)
{
    if (!image->dead_us) {
        image->dead_us = collector->now_us + 1;
    }
    while (rings_drain_of(collector, image)) {
    }
    return !collector->is_last_round && collector->now_us < image->dead_us + PATIENCE_US &&
           waits_for_other(collector, image);
}

void images_find_dead(struct collector *collector)
{
    size_t kept = 0;
    for (size_t i = 0; i < collector->n_living; i++) {
        struct image *image = collector->living[i];
        if (image->finished && image->forks.n_points &&
            collector->now_us > image->end_us + LATE_US) {
            forks_leave(image, true);
        }
        if (!image->finished && image->pid != collector->main_pid && process_is_dead(image)) {
            rings_open(collector); /* of its last threads */
            if (!is_waiting(collector, image)) {
                images_finish(collector, image, MT_STATUS_UNKNOWN);
            }
        }
        if (!image->finished || image->forks.n_points) {
            collector->living[kept++] = image;
        }
    }
    collector->n_living = kept;
}

void images_reopen(struct collector *collector)
{
    collector->image_index = (struct index){0};
    tally_end(&collector->accounts);
    for (size_t i = 0; i < collector->n_images; i++) {
        add_to_index(collector, (uint32_t)i + 1);
    }
    for (size_t i = 0; i < collector->n_images; i++) {
        struct image *image = collector->images[i];
        image->pidfd = image->statm = image->pagemap = -1;
        heapmap_reopen(&image->blocks);
        if (image->announced && !record_has_image_end(collector, image)) {
            image->finished = false; /* or its end was being written */
        }
        if (!image->finished && !process_is_dead(image)) {
            image->pidfd = (int)syscall(SYS_pidfd_open, image->pid, 0);
        }
    }
}
