/*
 * Opening, draining and closing rings (rings.h).  In the collector, in each of
 * its rounds.
 */
#include "collect/rings.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "collect/images.h"
#include "collect/loans.h"
#include "collect/memory.h"
#include "collect/pidspace.h"
#include "collect/record.h"

/* So many numbers are not given out between two rounds: the program has written over the counter.
 */
#define NUMBERS_MOST (16 * MT_SLOTS)
#define BATCH_WORDS 16384u /* supervise.c asks for more at once if so many were taken */

static uint32_t slot_of(const struct collector *collector, uint32_t number)
{
    struct mt_control *control = collector->shared.control;
    return (uint32_t)(mt_slot_of(control, number) - control->slots);
}

/* What is known of a ring by its slot. */
enum known { KNOWN_READY, KNOWN_GONE, KNOWN_LATER };

static enum known look_at(const struct collector *collector, uint32_t number)
{
    struct mt_control *control = collector->shared.control;
    uint64_t word = atomic_load_explicit(&mt_slot_of(control, number)->word, memory_order_acquire);
    int32_t ahead = (int32_t)(mt_slot_number(word) - number);
    if (mt_slot_state(word) == MT_SLOT_EMPTY || ahead < 0) {
        return KNOWN_LATER; /* the slot's last ring was an older one: it is made now, or never */
    }
    return ahead || mt_slot_state(word) == MT_SLOT_VOID ? KNOWN_GONE
           : mt_slot_state(word) == MT_SLOT_READY       ? KNOWN_READY
                                                        : KNOWN_LATER;
}

/* The slots up to there have a place in the table. */
static void make_room(struct collector *collector, uint32_t slots)
{
    collector->rings = memory_grow(
        collector->rings, &collector->rings_capacity, slots + 1, sizeof(*collector->rings));
    collector->n_slots = slots > collector->n_slots ? slots : collector->n_slots;
}

/* What the slot is depends on what the program can write to. */
void rings_add(struct collector *collector, struct ring *ring)
{
    ring->slot = slot_of(collector, ring->number);
    make_room(collector, ring->slot + 1);
    collector->rings[ring->slot] = ring;
    ring->next = ring->image->rings;
    ring->image->rings = ring;
}

static void take_out(struct collector *collector, const struct ring *ring)
{
    struct ring **link = &ring->image->rings;
    if (collector->rings[ring->slot] == ring) {
        collector->rings[ring->slot] = NULL;
    }
    while (*link && *link != ring) {
        link = &(*link)->next;
    }
    if (*link) {
        *link = ring->next;
    }
}

/* Its process, by our own namespace; a process that is gone has no number there, nor has one that
   wrote over what it said. */
static int pid_of(const struct collector *collector, const struct mt_ring *shared)
{
    uint64_t space = shared->pid_space;
    bool is_ours = !space || space == collector->shared.control->pid_space;
    int pid = is_ours ? shared->pid : pidspace_find(space, shared->pid);
    return pid > 0 && pid < PIDSPACE_UNKNOWN ? pid
                                             : PIDSPACE_UNKNOWN + (int)(shared->image & 0xffffff);
}

static struct image *make_image(struct collector *collector, const struct mt_ring *shared)
{
    int pid = pid_of(collector, shared);
    struct image *image = images_make(collector, pid, shared->image, shared);
    image->inner_pid = shared->pid;
    image->parent_pid = pid != shared->pid ? pidspace_parent(pid) : 0;
    return image;
}

static void open_ring(struct collector *collector, uint32_t number)
{
    uint64_t bytes;
    struct mt_ring *shared = shared_map_ring(&collector->shared, number, &bytes);
    if (!shared) {
        return;
    }
    struct image *image = images_find(collector, shared->image);
    if (image && image->finished) {
        shared_unmap_ring(shared, bytes);
        shared_remove_ring(&collector->shared, number);
        return;
    }
    struct ring *ring = memory_zeroed(1, sizeof(*ring));
    ring->shared = shared;
    ring->number = number;
    ring->words = (uint64_t *)((uint8_t *)shared + MT_RING_HEADER);
    ring->mask = bytes / 8 - 1; /* not what the program may write there */
    ring->time_us = session_clock(collector);
    ring->image = image ? image : make_image(collector, shared);
    rings_add(collector, ring);
}

/* False while it is still being made. */
static bool is_settled(struct collector *collector, uint32_t number)
{
    enum known known = look_at(collector, number);
    if (known == KNOWN_READY) {
        open_ring(collector, number);
    }
    return known != KNOWN_LATER;
}

/* Those whose makers were not ready before: stopped in between, perhaps for good. */
static void open_late(struct collector *collector)
{
    size_t kept = 0;
    for (size_t i = 0; i < collector->n_late; i++) {
        uint32_t number = collector->late[i];
        if (!is_settled(collector, number)) {
            collector->late[kept++] = number;
        }
    }
    collector->n_late = kept;
}

static void put_off(struct collector *collector, uint32_t number)
{
    collector->late = memory_grow(collector->late, &collector->late_capacity, collector->n_late + 1,
        sizeof(*collector->late));
    collector->late[collector->n_late++] = number;
}

void rings_open(struct collector *collector)
{
    if (collector->is_last_round) {
        return;
    }
    loans_serve(&collector->shared);
    open_late(collector);
    struct mt_control *control = collector->shared.control;
    uint32_t used = atomic_load(&control->rings_used);
    if (used - collector->n_numbers > NUMBERS_MOST) {
        used = collector->n_numbers;
        atomic_store(&control->rings_used, used);
    }
    for (uint32_t number = collector->n_numbers; number != used; number++) {
        if (!is_settled(collector, number)) {
            put_off(collector, number);
        }
        collector->n_numbers = number + 1;
    }
}

bool rings_are_open(const struct collector *collector, uint32_t number)
{
    bool is_open = (int32_t)(number - collector->n_numbers) < 0;
    for (size_t i = 0; i < collector->n_late; i++) {
        is_open &= collector->late[i] != number;
    }
    return is_open;
}

struct ring *rings_find(const struct collector *collector, uint32_t number)
{
    uint32_t slot = slot_of(collector, number);
    struct ring *ring = slot < collector->n_slots ? collector->rings[slot] : NULL;
    return ring && ring->number == number ? ring : NULL;
}

void rings_bound(struct collector *collector)
{
    collector->is_last_round = true;
    for (uint32_t slot = 0; slot < collector->n_slots; slot++) {
        struct ring *ring = collector->rings[slot];
        if (ring) {
            ring->bound = atomic_load_explicit(&ring->shared->head, memory_order_acquire);
            ring->is_bounded = true;
        }
    }
}

void rings_close(struct collector *collector, struct ring *ring)
{
    take_out(collector, ring);
    shared_unmap_ring(ring->shared, (ring->mask + 1) * 8);
    shared_remove_ring(&collector->shared, ring->number);
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

static uint64_t drain_one(struct collector *collector, struct ring *ring)
{
    ring->now_us = collector->now_us;
    if (ring->image->log && eventlog_room(ring->image->log) < BATCH_WORDS) {
        record_log(collector, ring->image);
    }
    uint64_t taken = drain_ring(collector, &collector->accounts, ring, &images_events, BATCH_WORDS);
    if (taken) {
        publish_tail(ring);
        shared_work(&collector->shared);
    }
    return taken;
}

static uint64_t fullness(const struct ring *ring)
{
    uint64_t head = atomic_load_explicit(&ring->shared->head, memory_order_relaxed);
    return (head - ring->tail) * RING_WHOLE / (ring->mask + 1);
}

uint64_t rings_drain(struct collector *collector)
{
    uint64_t total = 0;
    collector->fullest = 0;
    for (uint32_t slot = 0; slot < collector->n_slots; slot++) {
        struct ring *ring = collector->rings[slot];
        if (ring) {
            uint64_t part = fullness(ring);
            collector->fullest = part > collector->fullest ? part : collector->fullest;
            total += drain_one(collector, ring);
        }
    }
    return total;
}

uint64_t rings_drain_of(struct collector *collector, const struct image *image)
{
    uint64_t total = 0;
    for (struct ring *ring = image->rings; ring; ring = ring->next) {
        total += drain_one(collector, ring);
    }
    return total;
}

/* Descriptors and addresses were the dead collector's. */
void rings_reopen(struct collector *collector)
{
    for (size_t i = 0; i < collector->n_images; i++) {
        collector->images[i]->rings = NULL;
    }
    for (uint32_t slot = 0; slot < collector->n_slots; slot++) {
        struct ring *ring = collector->rings[slot];
        uint64_t bytes;
        struct mt_ring *shared =
            ring ? shared_map_ring(&collector->shared, ring->number, &bytes) : NULL;
        collector->rings[slot] = NULL;
        if (shared && bytes / 8 - 1 == ring->mask) {
            ring->shared = shared;
            ring->again = true;
            ring->words = (uint64_t *)((uint8_t *)shared + MT_RING_HEADER);
            rings_add(collector, ring);
        }
    }
}

void rings_weigh(struct collector *collector)
{
    for (size_t i = 0; i < collector->n_living; i++) {
        collector->living[i]->agent_bytes = collector->living[i]->ring_bytes = 0;
    }
    for (uint32_t slot = 0; slot < collector->n_slots; slot++) {
        const struct ring *ring = collector->rings[slot];
        if (ring) {
            uint64_t data = atomic_load_explicit(&ring->shared->head, memory_order_relaxed) * 8;
            uint64_t whole = (ring->mask + 1) * 8;
            uint64_t bytes = MT_RING_HEADER + (data < whole ? data : whole);
            ring->image->ring_bytes += bytes;
            ring->image->agent_bytes +=
                bytes + atomic_load_explicit(&ring->shared->agent_bytes, memory_order_relaxed);
        }
    }
}
