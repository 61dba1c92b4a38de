/*
 * The pool of thread states (thread.h).  In the host, on a thread's first event
 * and at its end.
 */
#include "thread.h"

#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "cstack.h"
#include "elfsym.h"
#include "intern.h"
#include "native.h"
#include "pystack.h"
#include "python.h"
#include "ring.h"
#include "session.h"
#include "sys.h"
#include "threadname.h"
#include "trace.h"

#define DESTRUCTOR_ROUNDS 3

__thread struct thread_local_state thread_self;

static struct thread *_Atomic pool[MT_PROCESS_RINGS];
static _Atomic uint32_t pool_used, taken_count;

/* Found at run time: their versioned names differ between C libraries. */
static int (*set_specific)(pthread_key_t, const void *);
static pthread_key_t end_key;
static bool has_end_key;

uint32_t thread_count(void)
{
    return atomic_load_explicit(&taken_count, memory_order_relaxed);
}

/* One that is given back is no longer counted when it can be taken. */
static struct thread *take_from_pool(void)
{
    uint32_t used = atomic_load(&pool_used);
    if (atomic_load(&taken_count) >= used) {
        return NULL;
    }
    for (uint32_t i = 0; i < used && i < MT_PROCESS_RINGS; i++) {
        struct thread *thread = atomic_load(&pool[i]);
        uint32_t free = 0;
        if (thread && atomic_compare_exchange_strong(&thread->taken, &free, 1)) {
            return thread;
        }
    }
    return NULL;
}

static bool depend_on(struct thread *thread, const struct thread *other)
{
    uint64_t words[2] = {
        other->ring->number, atomic_load_explicit(&other->ring->head, memory_order_acquire)};
    return ring_meta(thread, MT_META_DEPEND, 0, 0, words, 2);
}

bool thread_depend_on_others(struct thread *thread)
{
    uint32_t used = atomic_load(&pool_used);
    for (uint32_t i = 0; i < used && i < MT_PROCESS_RINGS; i++) {
        struct thread *other = atomic_load(&pool[i]);
        if (other && other != thread && other->ring && !depend_on(thread, other)) {
            return false;
        }
    }
    return true;
}

/* Only the first ring can have events without numbers, which came before there was another thread;
   it also says what the image is. */
static bool depend_on_first(struct thread *thread)
{
    const struct thread *first = atomic_load(&pool[0]);
    return !first || depend_on(thread, first);
}

void thread_tell_of_fork(const struct thread *forking)
{
    uint32_t used = atomic_load(&pool_used);
    for (uint32_t i = 0; i < used && i < MT_PROCESS_RINGS; i++) {
        struct thread *other = atomic_load(&pool[i]);
        if (other && other != forking) {
            atomic_store(&other->clock_us, THREAD_LOOK);
        }
    }
}

/* The first record of an image says what it is; what a fork does comes after what its parent had
   done. */
static bool introduce(struct thread *thread)
{
    return (!session.is_forked || ring_meta(thread, MT_META_DEPEND, 0, 0, session.forked_at, 2)) &&
           python_announce(thread);
}

static struct thread *make_thread(void)
{
    uint32_t index = atomic_load(&pool_used);
    if (index >= MT_PROCESS_RINGS) {
        return NULL;
    }
    struct thread *thread = sys_map_private(sizeof(*thread));
    if (!thread) {
        return NULL;
    }
    if (!intern_setup(thread) || !pystack_setup(thread) || !ring_create(thread)) {
        intern_discard(thread);
        pystack_discard(thread);
        sys_unmap(thread, sizeof(*thread));
        return NULL;
    }
    thread->taken = 1;
    atomic_store(&thread->clock_us, THREAD_LOOK);
    index = atomic_fetch_add(&pool_used, 1);
    if (index >= MT_PROCESS_RINGS || !(index ? depend_on_first(thread) : introduce(thread))) {
        return NULL;
    }
    atomic_store(&pool[index], thread);
    return thread;
}

/* A program that has become another user may fill the rings that it has, and make no more. */
static enum mt_off why_no_ring(void)
{
    char path[SESSION_PATH_MAX];
    if (atomic_load(&pool_used) >= MT_PROCESS_RINGS) {
        return MT_OFF_THREADS;
    }
    if (session_path(path, ".") && !sys_may(path, W_OK | X_OK)) {
        return MT_OFF_USER;
    }
    return ring_is_full(session.control) ? MT_OFF_SLOTS : MT_OFF_ROOM;
}

/* A collector that is gone has been told of already, and nothing of this is in a trace. */
static void go_on_untraced(void)
{
    static const char *const words[MT_OFF_REASONS] = {
        [MT_OFF_THREADS] = "more than 8,192 threads at a time",
        [MT_OFF_SLOTS] = "no room for another ring (as many threads in all as a session can have)",
        [MT_OFF_ROOM] = "no room for another ring (shared memory, descriptors or address space)",
        [MT_OFF_USER] = "the session is not this user's",
    };
    enum mt_off why = why_no_ring();
    if (session_off(words[why])) {
        atomic_fetch_add(&session.control->processes_off[why], 1);
    }
}

static struct thread *acquire(void)
{
    struct thread *thread = take_from_pool();
    if (!thread) {
        thread = make_thread();
    }
    if (!thread) {
        go_on_untraced();
        return NULL;
    }
    atomic_fetch_add(&taken_count, 1);
    thread->tid = sys_tid();
    thread->is_unnamed = thread->tid != session.pid;
    bool written = ring_meta(thread, MT_META_THREAD, 0, (uint32_t)thread->tid, NULL, 0);
    threadname_begin(thread);
    return written || thread->in_gap ? thread : NULL;
}

static void ask_for_end(void)
{
    if (has_end_key && !thread_self.ended) {
        trace_below(BELOW_NATIVE); /* it may allocate, which is an event */
        set_specific(end_key, (void *)1);
        trace_below(BELOW_NOTHING);
    }
}

/* No signal handler may need a ring while one is being made. */
struct thread *thread_acquire(void)
{
    uint64_t blocked = sys_block_signals();
    struct thread *thread = thread_self.thread; /* a handler may just have got one */
    bool is_new = !thread;
    if (is_new) {
        thread = thread_self.thread = acquire();
    }
    sys_restore_signals(blocked);
    if (thread && is_new) {
        ask_for_end();
    }
    return thread;
}

void thread_give_back(struct thread *thread)
{
    pystack_forget(thread);
    cstack_forget(thread);
    threadname_tell(thread);
    ring_meta(thread, MT_META_THREAD_END, 0, (uint32_t)thread->tid, NULL, 0);
    thread->impatient = false;
    atomic_fetch_sub(&taken_count, 1);
    atomic_store(&thread->taken, 0);
}

void thread_release(void)
{
    struct thread *thread = thread_self.thread, *other = thread_self.other;
    thread_self.thread = thread_self.other = NULL;
    if (thread) {
        thread_give_back(thread);
    }
    if (other) {
        thread_give_back(other);
    }
}

/* Other destructors may still allocate: stay until the last round but one. */
static void thread_ends(void *round)
{
    uintptr_t n = (uintptr_t)round;
    if (n < DESTRUCTOR_ROUNDS) {
        set_specific(end_key, (void *)(n + 1));
        return;
    }
    thread_self.ended = true;
    thread_self.depth++;
    thread_release();
    thread_self.depth--;
}

void thread_setup(void)
{
    int (*create)(pthread_key_t *, void (*)(void *)) =
        (int (*)(pthread_key_t *, void (*)(void *)))elfsym_find("pthread_key_create");
    set_specific = (int (*)(pthread_key_t, const void *))elfsym_find("pthread_setspecific");
    has_end_key = create && set_specific && create(&end_key, thread_ends) == 0;
}

void thread_forget_all(void)
{
    uint32_t used = atomic_load(&pool_used);
    for (uint32_t i = 0; i < used && i < MT_PROCESS_RINGS; i++) {
        struct thread *thread = atomic_load(&pool[i]);
        if (thread) {
            ring_destroy(thread);
            intern_discard(thread);
            pystack_discard(thread);
            native_discard(thread);
            sys_unmap(thread, sizeof(*thread));
        }
        atomic_store(&pool[i], NULL);
    }
    atomic_store(&pool_used, 0);
    atomic_store(&taken_count, 0);
    thread_self.thread = thread_self.other = NULL;
}
