/*
 * Fuzzer of the collector against hostile or damaged programs: rings full of any
 * words, heads that are where they cannot be.  Whatever comes, the trace that is
 * written must be sound for its reader.
 *
 * The input is a list of steps, a byte each, with words behind it:
 *     0ccccrrr  c + 1 words appended to ring r
 *     10xxxrrr  a round of the collector, and then a mark
 *     11xxxrrr  ring r's head becomes the next word; it counts lost events
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "collect/images.h"
#include "collect/memory.h"
#include "collect/record.h"
#include "collect/rings.h"
#include "collect/session.h"
#include "fuzz.h"
#include "trace/model.h"

enum { RINGS = 3, RING_BYTES = 1 << 16, PID = 0x7ffffff0 };

struct input {
    const uint8_t *at;
    size_t left;
};

static struct mt_control control;

static uint64_t take_word(struct input *input)
{
    uint64_t word = 0;
    size_t size = input->left < sizeof word ? input->left : sizeof word;
    memcpy(&word, input->at, size);
    input->at += size;
    input->left -= size;
    return word;
}

/* As the agent and the collector map it: the data twice. */
static struct mt_ring *map_ring(void)
{
    int fd = memfd_create("ring", MFD_CLOEXEC);
    size_t whole = MT_RING_HEADER + RING_BYTES;
    if (fd < 0 || ftruncate(fd, (off_t)whole) != 0)
        abort();
    uint8_t *start = mmap(NULL, whole + RING_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int prot = PROT_READ | PROT_WRITE, flags = MAP_SHARED | MAP_FIXED;
    if (mmap(start, whole, prot, flags, fd, 0) == MAP_FAILED ||
        mmap(start + whole, RING_BYTES, prot, flags, fd, MT_RING_HEADER) == MAP_FAILED)
        abort();
    close(fd);
    return (struct mt_ring *)start;
}

/* Two of one program, a third of its forked child. */
static struct ring *make_ring(struct collector *collector, uint32_t slot)
{
    struct ring *ring = memory_zeroed(1, sizeof *ring);
    uint32_t number = slot == RINGS - 1 ? 2 : 1;
    ring->shared = map_ring();
    ring->number = slot;
    ring->words = (uint64_t *)((uint8_t *)ring->shared + MT_RING_HEADER);
    ring->mask = RING_BYTES / 8 - 1;
    ring->shared->words = RING_BYTES / 8;
    ring->shared->parent_image = ring->shared->fork = number - 1;
    ring->image = images_find(collector, number);
    if (!ring->image)
        ring->image = images_make(collector, PID + (int)number, number, ring->shared);
    return ring;
}

static struct collector *make_collector(int fd, const char *path)
{
    struct collector *collector = memory_zeroed(1, sizeof *collector);
    memset(&control, 0, sizeof control);
    collector->shared = (struct shared){.control = &control};
    snprintf(collector->shared.directory, sizeof collector->shared.directory, "/nonexistent");
    collector->main_status = -1;
    collector->cgroup.usage = -1;
    collector->interval_ms = 1000;
    accounts_init(&collector->accounts);
    session_output(collector, fd, path, "{}");
    control.slots_count = MT_SLOTS;
    collector->n_slots = collector->n_numbers = RINGS;
    collector->rings = memory_grow(NULL, &collector->rings_capacity, RINGS, sizeof(struct ring *));
    for (uint32_t slot = 0; slot < RINGS; slot++)
        rings_add(collector, make_ring(collector, slot));
    return collector;
}

/* ---- the program's part ---- */

static void append(struct ring *ring, struct input *input, unsigned count)
{
    uint64_t head = ring->shared->head;
    while (count-- && head - ring->tail < ring->mask)
        ring->words[head++ & ring->mask] = take_word(input);
    ring->shared->head = head;
}

static void step(struct collector *collector, struct input *input)
{
    uint8_t code = *input->at++;
    struct ring *ring = collector->rings[(code & 7) % RINGS];
    input->left--;
    if (!(code & 0x80)) {
        append(ring, input, (code >> 3) + 1u);
    } else if (!(code & 0x40)) {
        rings_drain(collector);
        record_mark(collector, 0, ++collector->now_us);
    } else {
        ring->shared->head = take_word(input);
        ring->shared->lost_events++;
    }
}

/* ---- the end ---- */

static void finish(struct collector *collector)
{
    for (size_t i = 0; i < collector->n_images; i++)
        images_finish(collector, collector->images[i], -1);
    record_last(collector);
    if (session_seal(collector, "{}") != 0)
        abort();
}

static void discard(struct collector *collector)
{
    for (size_t i = 0; i < collector->n_images; i++) {
        forks_free(collector->images[i]);
        memory_free(collector->images[i]->samples);
        memory_free(collector->images[i]->account.changed);
        memory_free(collector->images[i]);
    }
    memory_free(collector->images);
    memory_free(collector->living);
    index_free(&collector->image_index);
    memory_free(collector->rings);
    memory_free(collector->path);
    boundaries_free(&collector->boundaries);
    accounts_free(&collector->accounts);
    memory_free(collector);
}

static void check(const char *path)
{
    struct trace trace;
    if (trace_read(&trace, path) != TRACE_OK || trace.damaged || !trace.sealed)
        abort();
    trace_free(&trace);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    char path[64];
    int fd = memfd_create("trace", MFD_CLOEXEC);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    struct collector *collector = make_collector(dup(fd), path);
    while (input.left)
        step(collector, &input);
    finish(collector);
    discard(collector);
    check(path);
    close(fd);
    return 0;
}
