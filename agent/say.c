/*
 * Records that the program asks for (say.h).  In the host, outside the
 * allocators; may wait for the collector, but neither for a dead one nor for
 * one that has stopped.
 */
#include "say.h"

#include "ring.h"
#include "session.h"
#include "sys.h"
#include "thread.h"
#include "trace.h"

#define SPINS 20000u
#define WAIT_MS 20u
#define PATIENCE_MS 2000u

static _Atomic uint32_t regions;

/* The calling thread's state, guarded as in a hook; NULL if nothing is recorded. */
static struct thread *enter(void)
{
    if (!trace_enter()) {
        return NULL;
    }
    struct thread *thread = thread_self.thread ? thread_self.thread : thread_acquire();
    if (!thread) {
        trace_leave();
    }
    return thread;
}

static void leave(void)
{
    if (thread_self.ended) {
        thread_release();
    }
    trace_leave();
}

/* What other threads did before comes before it, and it has the time of now. */
static bool put_record(
    struct thread *thread, enum mt_meta meta, uint32_t number, const char *name, size_t size)
{
    size = size < SAY_NAME_MAX ? size : SAY_NAME_MAX;
    return thread_depend_on_others(thread) && trace_time(thread) && ring_text(thread, name, size) &&
           ring_meta(thread, meta, 0, number, NULL, 0);
}

/* ---- questions ---- */

static bool is_answered(const struct thread *thread, uint32_t question)
{
    return atomic_load_explicit(&thread->ring->answered, memory_order_acquire) == question;
}

static bool collector_is_there(uint64_t still_ms)
{
    return atomic_load(&session.control->state) == MT_STATE_RUNNING && still_ms < PATIENCE_MS &&
           (!still_ms || session_collector_lives());
}

static bool wait_for_answer(struct thread *thread, uint32_t question)
{
    uint64_t still_ms = 0, progress = session_progress();
    uint32_t seen;
    for (unsigned i = 0; i < SPINS && !is_answered(thread, question); i++) {
#if defined(__x86_64__)
        __builtin_ia32_pause();
#endif
    }
    while ((seen = atomic_load(&thread->ring->answered)) != question) {
        uint64_t now = session_progress();
        if (!collector_is_there(still_ms)) {
            return false;
        }
        sys_wait(&thread->ring->answered, seen, WAIT_MS);
        still_ms = now == progress ? still_ms + WAIT_MS : 0;
        progress = now;
    }
    return true;
}

static uint64_t answer(const struct thread *thread, unsigned index)
{
    return atomic_load_explicit(&thread->ring->answers[index], memory_order_relaxed);
}

bool say_traced_memory(uint64_t *current, uint64_t *peak)
{
    struct thread *thread = enter();
    bool known = false;
    *current = *peak = 0;
    if (!thread) {
        return false;
    }
    uint32_t question = ++thread->questions;
    if (put_record(thread, MT_META_ASK, question, NULL, 0) && wait_for_answer(thread, question)) {
        known = true;
        *current = answer(thread, 0);
        *peak = answer(thread, 1);
    }
    leave();
    return known;
}

/* ---- marks and regions ---- */

void say_mark(const char *name, size_t size)
{
    struct thread *thread = enter();
    if (thread) {
        put_record(thread, MT_META_MARK, 0, name, size);
        leave();
    }
}

uint32_t say_region_begin(const char *name, size_t size)
{
    struct thread *thread = enter();
    if (!thread) {
        return 0;
    }
    uint32_t region = atomic_fetch_add(&regions, 1) + 1;
    bool done = put_record(thread, MT_META_REGION_BEGIN, region, name, size);
    leave();
    return done ? region : 0;
}

static bool end_region(struct thread *thread, uint32_t region, struct say_report *report)
{
    uint64_t question = report ? ++thread->questions : 0;
    if (!thread_depend_on_others(thread) || !trace_time(thread) ||
        !ring_meta(thread, MT_META_REGION_END, 0, region, &question, 1) || !report ||
        !wait_for_answer(thread, (uint32_t)question)) {
        return false;
    }
    *report = (struct say_report){
        answer(thread, 0), answer(thread, 1), answer(thread, 2), answer(thread, 3)};
    return true;
}

bool say_region_end(uint32_t region, struct say_report *report)
{
    struct thread *thread = region ? enter() : NULL;
    if (!thread) {
        return false;
    }
    bool known = end_region(thread, region, report);
    leave();
    return known;
}

/* ---- pauses ---- */

bool say_is_tracing(void)
{
    return session.wanted && !session.paused;
}

/* The collector must know before the first block goes unrecorded, lest its free be unknown. */
void say_pause(void)
{
    struct thread *thread = session.paused ? NULL : enter();
    if (!thread) {
        return;
    }
    uint32_t question = ++thread->questions;
    if (put_record(thread, MT_META_PAUSE, question, NULL, 0)) {
        wait_for_answer(thread, question);
    }
    session_pause(true);
    leave();
}

void say_resume(void)
{
    struct thread *thread = session.paused ? enter() : NULL;
    if (thread) {
        session_pause(false);
        put_record(thread, MT_META_RESUME, 0, NULL, 0);
        leave();
    }
}

void say_own(bool own)
{
    struct thread *thread = enter();
    if (thread) {
        ring_meta(thread, MT_META_OWN, own, 0, NULL, 0);
        leave();
    }
}
