/*
 * Making, filling and waiting for rings (ring.h).  In the host, inside malloc.
 */
#include "ring.h"

#include <string.h>

#include "ringfile.h"
#include "session.h"
#include "sys.h"

#define SPINS 100u
#define WAIT_MS 50u
#define PATIENCE_MS 10000u
#define STUCK_MS 120000u /* of a ring from which nothing is taken, whatever else the collector does */
#define IMPATIENCE_MS 200u /* of a signal handler: what it interrupted may be what holds all up */
#define SLOT_PATIENCE_MS 2000u
#define DEATH_CHECK 65536u /* lost events between two looks at whether the collector lives */
#define TEXT_PIECE 4096u

static void forgo(struct mt_control *control)
{
    atomic_fetch_add(&control->rings_gone, 1);
}

bool ring_is_full(struct mt_control *control)
{
    return atomic_load(&control->rings_used) - atomic_load(&control->rings_gone) >=
           control->slots_count;
}

/* Ring numbers whose slots are others' still are passed over; NULL if all are: a number that is
   tried is used up for nothing. */
static struct mt_slot *claim(struct mt_control *control, uint32_t *number)
{
    for (uint32_t tries = 0; tries < control->slots_count && !ring_is_full(control); tries++) {
        *number = atomic_fetch_add(&control->rings_used, 1);
        struct mt_slot *slot = mt_slot_of(control, *number);
        uint64_t word = atomic_load(&slot->word);
        bool is_free = mt_slot_state(word) == MT_SLOT_EMPTY || mt_slot_state(word) == MT_SLOT_VOID;
        if (is_free && atomic_compare_exchange_strong(&slot->word, &word,
                           mt_slot_word(MT_SLOT_CLAIMED, session.pid, *number))) {
            return slot;
        }
        forgo(control);
    }
    return NULL;
}

/* The collector may be behind with processes that are over. */
static struct mt_slot *claim_in_time(struct mt_control *control, uint32_t *number)
{
    struct mt_slot *slot = claim(control, number);
    uint64_t until = sys_clock_ms() + SLOT_PATIENCE_MS;
    while (!slot && sys_clock_ms() < until && atomic_load(&control->state) == MT_STATE_RUNNING) {
        _Atomic uint32_t never = 0;
        sys_wait(&never, 0, WAIT_MS);
        slot = claim(control, number);
    }
    return slot;
}

static void settle(struct mt_slot *slot, enum mt_slot_state state, uint32_t number)
{
    atomic_store(&slot->word, mt_slot_word(state, session.pid, number));
}

bool ring_create(struct thread *thread)
{
    uint64_t bytes;
    uint32_t number;
    struct mt_slot *slot = claim_in_time(session.control, &number);
    struct mt_ring *ring = slot ? ringfile_make(number, &bytes) : NULL;
    if (!ring) {
        if (slot) {
            settle(slot, MT_SLOT_VOID, number);
            forgo(session.control);
        }
        return false;
    }
    ring->magic = MT_RING_MAGIC;
    ring->version = MT_RING_VERSION;
    ring->number = number;
    ring->pid = session.pid;
    ring->pid_space = session.pid_space;
    ring->image = session.image;
    ring->parent_image = session.parent_image;
    ring->fork = session.parent_fork;
    ring->words = bytes / 8;
    thread->ring = ring;
    thread->words = (uint64_t *)((uint8_t *)ring + MT_RING_HEADER);
    thread->mask = ring->words - 1;
    thread->head = 0;
    thread->limit = ring->words;
    settle(slot, MT_SLOT_READY, number);
    return true;
}

void ring_destroy(struct thread *thread)
{
    if (thread->ring) {
        ringfile_unmap(thread->ring, (thread->mask + 1) * 8);
        thread->ring = NULL;
    }
}

static bool refill(struct thread *thread, uint64_t count)
{
    thread->limit =
        atomic_load_explicit(&thread->ring->tail, memory_order_acquire) + thread->mask + 1;
    return thread->head + count <= thread->limit;
}

static bool spin(struct thread *thread, uint64_t count)
{
    for (unsigned i = 0; i < SPINS; i++) {
        if (refill(thread, count)) {
            return true;
        }
#if defined(__x86_64__)
        __builtin_ia32_pause();
#endif
    }
    return false;
}

/* ---- gaps ---- */

/* The collector's progress, plus 1, when a thread last gave it up: the others need not wait too. */
static _Atomic uint64_t stood_still;

/* From here on each event that finds no room is lost at once. */
static bool begin_gap(struct thread *thread, uint64_t progress)
{
    thread->in_gap = true;
    thread->limit = 0; /* every event asks ring_wait */
    if (atomic_exchange(&stood_still, progress + 1) != progress + 1) {
        sys_complain("the collector stands still: events are lost until it goes on, "
                     "the program goes on now",
            NULL);
    }
    return false;
}

static bool collector_is_gone(void)
{
    if (atomic_load(&session.control->state) != MT_STATE_RUNNING) {
        session_off(NULL);
    } else if (!session_collector_lives()) {
        session_off("the collector is gone");
    }
    return !session.wanted;
}

/* With half a ring of room, so that a gap does not follow a gap.  The record has its place in
   the order; the numbers in the header are also there for a program that is killed before. */
static bool end_gap(struct thread *thread)
{
    uint64_t words[2] = {thread->lost_events, thread->lost_bytes};
    if (!refill(thread, thread->mask / 2)) {
        thread->limit = 0;
        return false;
    }
    thread->in_gap = false;
    thread->lost_events = thread->lost_bytes = 0;
    return ring_meta(thread, MT_META_GAP, 0, 0, words, 2);
}

static void add_to(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_store_explicit(
        counter, atomic_load_explicit(counter, memory_order_relaxed) + n, memory_order_relaxed);
}

bool ring_lost(struct thread *thread, uint64_t bytes)
{
    if (!thread->in_gap) {
        return false;
    }
    thread->lost_events++;
    thread->lost_bytes += bytes;
    add_to(&thread->ring->lost_events, 1);
    add_to(&thread->ring->lost_bytes, bytes);
    if (thread->lost_events % DEATH_CHECK == 0 && collector_is_gone()) {
        return false;
    }
    return end_gap(thread);
}

/* Milliseconds that count for our patience: where this process was stopped itself, or its
   sleep was cut short by a signal, the clock on the wall says nothing. */
static uint64_t nap(struct thread *thread)
{
    uint64_t start = sys_clock_ms();
    sys_wait(&thread->ring->waiting, 1, WAIT_MS);
    uint64_t slept = sys_clock_ms() - start;
    return slept < WAIT_MS ? slept : WAIT_MS;
}

/* The collector clears `waiting` and wakes us when it has made room. */
static bool sleep_for_room(struct thread *thread, uint64_t count)
{
    uint64_t still = 0, stuck = 0, progress = session_progress();
    uint64_t tail = atomic_load(&thread->ring->tail);
    for (;;) {
        atomic_store(&thread->ring->waiting, 1);
        if (refill(thread, count)) {
            atomic_store(&thread->ring->waiting, 0);
            return true;
        }
        uint64_t slept = nap(thread), now = session_progress();
        still = now == progress || thread->impatient ? still + slept : 0;
        progress = now;
        /* Who has written over a ring has it wait for what never comes. */
        stuck = atomic_load(&thread->ring->tail) == tail ? stuck + slept : 0;
        tail = atomic_load(&thread->ring->tail);
        if ((still || atomic_load(&session.control->state) != MT_STATE_RUNNING) &&
            collector_is_gone()) {
            return false;
        }
        if (still >= (thread->impatient ? IMPATIENCE_MS : PATIENCE_MS) || stuck >= STUCK_MS ||
            (still && atomic_load(&stood_still) == progress + 1)) {
            return begin_gap(thread, progress);
        }
    }
}

bool ring_wait(struct thread *thread, uint64_t count)
{
    if (thread->in_gap) {
        return false;
    }
    return refill(thread, count) || spin(thread, count) || sleep_for_room(thread, count);
}

bool ring_meta(struct thread *thread, enum mt_meta meta, uint32_t a, uint32_t b,
    const uint64_t *words, size_t count)
{
    uint64_t *out = ring_reserve(thread, 1 + count);
    if (!out) {
        return false;
    }
    out[0] = MT_OP_META | (uint64_t)meta << 4 | (uint64_t)a << 12 | (uint64_t)b << 32;
    for (size_t i = 0; i < count; i++) {
        out[1 + i] = words[i];
    }
    ring_publish(thread, 1 + count);
    return true;
}

bool ring_text(struct thread *thread, const void *bytes, size_t size)
{
    const uint8_t *next = bytes;
    while (size) {
        size_t piece = size < TEXT_PIECE ? size : TEXT_PIECE;
        uint64_t count = 1 + (piece + 7) / 8;
        uint64_t *out = ring_reserve(thread, count);
        if (!out) {
            return false;
        }
        out[0] = MT_OP_META | (uint64_t)MT_META_BYTES << 4 | (uint64_t)piece << 12;
        out[count - 1] = 0;
        memcpy(out + 1, next, piece);
        ring_publish(thread, count);
        next += piece;
        size -= piece;
    }
    return true;
}
