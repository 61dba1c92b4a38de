/*
 * Guard, stack, record: the hot path (trace.h).  In the host, inside malloc.
 */
#include "trace.h"

#include "intern.h"
#include "order.h"
#include "pystack.h"
#include "python.h"
#include "pythreadname.h"
#include "ring.h"
#include "selfcheck.h"

#define SIZE_BITS 24
#define EVENT_WORDS 5 /* time, fork, size, and two of the event */
#define MAP_WORDS 4

static _Atomic uint32_t end_written;

void trace_forked(void)
{
    atomic_store(&end_written, 0);
}

bool trace_first(void)
{
    if (!session.wanted) {
        return false;
    }
    thread_self.depth = 1;
    session_forked();
    thread_self.depth = 0;
    return session_live.on;
}

static inline struct thread *own_thread(void)
{
    struct thread *thread = thread_self.thread;
    return __builtin_expect(thread != NULL, 1) ? thread : thread_acquire();
}

static inline void done_with(struct thread *thread)
{
    if (__builtin_expect(thread_self.ended, 0)) {
        thread_release();
    }
}

/* An event found no room, or nobody wants it. */
static __attribute__((noinline)) void lost(struct thread *thread, uint64_t bytes)
{
    if (ring_lost(thread, bytes)) {
        intern_reset(thread);
        ring_meta(thread, MT_META_THREAD, 0, (uint32_t)thread->tid, NULL, 0);
    }
}

/* A thread that has no part in finalization may have lost its state to it. */
static inline uint32_t current_node(struct thread *thread, bool with_gil)
{
    if (__builtin_expect(*python.finalizing != 0, 0) && !with_gil
        && thread->tid != session.pid) {
        return 0;
    }
    trace_below(BELOW_NATIVE); /* the first use of a thread-local variable may allocate it */
    uintptr_t state = python_state(with_gil);
    trace_below(BELOW_NOTHING);
    uint32_t node = pystack_node(thread, state);
    selfcheck_stack(thread, state, node);
    return node;
}

/* With the native caller on top, if there is one. */
static inline uint32_t node_of(struct thread *thread, bool with_gil, const struct caller *caller)
{
    uint32_t node = current_node(thread, with_gil);
    if (with_gil && __builtin_expect(thread->is_unnamed, 0)) {
        pythreadname_tell(thread);
    }
    if (!caller) {
        return node;
    }
    uint32_t on_top = native_node(thread, node, *caller);
    if (__builtin_expect(on_top == NATIVE_FULL, 0)) {
        intern_reset(thread);
        on_top = native_node(thread, current_node(thread, with_gil), *caller);
    }
    return on_top == NATIVE_FULL ? node : on_top;
}

static inline uint64_t *put_time(struct thread *thread, uint64_t *out)
{
    uint64_t now = atomic_load_explicit(&session.control->clock_us, memory_order_relaxed);
    if (__builtin_expect(now != atomic_load_explicit(&thread->clock_us, memory_order_relaxed), 0)) {
        atomic_store(&thread->clock_us, now); /* before the look at forks: none is missed */
        *out++ = MT_OP_TIME | now << 4;
        uint32_t forks = atomic_load(&session.forks);
        if (forks != thread->forks) {
            thread->forks = forks;
            *out++ = MT_OP_META | (uint64_t)MT_META_FORKED << 4 | (uint64_t)forks << 32;
        }
    }
    return out;
}

/* An event with an address, a size and a node: ALLOC and REALLOC_END. */
static inline void put_block(struct thread *thread, enum mt_op op, enum mt_op op_seq,
    uintptr_t address, size_t size, enum mt_domain domain, uint32_t node)
{
    uint64_t *start = ring_reserve(thread, EVENT_WORDS), *out = start;
    if (!start) {
        lost(thread, size);
        return;
    }
    out = put_time(thread, out);
    if (__builtin_expect(size >> SIZE_BITS, 0)) {
        *out++ = MT_OP_SIZE | (uint64_t)(size >> SIZE_BITS) << 4;
    }
    uint64_t word = (uint64_t)domain << 4 | (size & ((1u << SIZE_BITS) - 1)) << 8;
    if (order_needed()) {
        word |= op_seq | (uint64_t)order_take(address) << 32;
    } else {
        word |= op;
    }
    *out++ = word;
    *out++ = (uint64_t)address << 16 | node;
    ring_publish(thread, (uint64_t)(out - start));
}

/* An event with an address alone: FREE and REALLOC_BEGIN. */
static inline void put_address(
    struct thread *thread, enum mt_op op, enum mt_op op_seq, uintptr_t address)
{
    uint64_t *start = ring_reserve(thread, EVENT_WORDS), *out = start;
    if (!start) {
        lost(thread, 0);
        return;
    }
    out = put_time(thread, out);
    if (order_needed()) {
        *out++ = op_seq | (uint64_t)address << 16;
        *out++ = order_take(address);
    } else {
        *out++ = op | (uint64_t)address << 16;
    }
    ring_publish(thread, (uint64_t)(out - start));
}

bool trace_time(struct thread *thread)
{
    uint64_t *start = ring_reserve(thread, 2);
    if (!start) {
        return false;
    }
    ring_publish(thread, (uint64_t)(put_time(thread, start) - start));
    return true;
}

static inline bool is_paused(void)
{
    return __builtin_expect(session_live.on == SESSION_PAUSED, 0);
}

static inline bool has_gil(enum mt_domain domain)
{
    return domain == MT_DOMAIN_OBJ || domain == MT_DOMAIN_MEM;
}

static inline void put_alloc(
    const void *address, size_t size, enum mt_domain domain, const struct caller *caller)
{
    struct thread *thread = address && !is_paused() ? own_thread() : NULL;
    if (!thread) {
        return;
    }
    uint32_t node = node_of(thread, has_gil(domain), caller);
    put_block(thread, MT_OP_ALLOC, MT_OP_ALLOC_SEQ, (uintptr_t)address, size, domain, node);
    done_with(thread);
}

void trace_alloc(const void *address, size_t size, enum mt_domain domain)
{
    put_alloc(address, size, domain, NULL);
}

void trace_native_alloc(const void *address, size_t size, struct caller caller)
{
    put_alloc(address, size, MT_DOMAIN_MALLOC, &caller);
}

void trace_free(const void *address)
{
    struct thread *thread = address ? own_thread() : NULL;
    if (!thread) {
        return;
    }
    put_address(thread, MT_OP_FREE, MT_OP_FREE_SEQ, (uintptr_t)address);
    done_with(thread);
}

void trace_move_begin(const void *old)
{
    struct thread *thread = old ? own_thread() : NULL;
    if (thread) {
        put_address(
            thread, MT_OP_REALLOC_BEGIN, MT_OP_REALLOC_BEGIN_SEQ, (uintptr_t)old);
    }
}

static void end_move(struct thread *thread, enum mt_op op)
{
    uint64_t *out = ring_reserve(thread, 1);
    if (out) {
        *out = op;
        ring_publish(thread, 1);
    } else {
        lost(thread, 0);
    }
}

void trace_move_gone(void)
{
    struct thread *thread = own_thread();
    if (thread) {
        end_move(thread, MT_OP_REALLOC_GONE);
        done_with(thread);
    }
}

static inline void put_move_end(const void *old, const void *address, size_t size,
    enum mt_domain domain, const struct caller *caller)
{
    bool paused = is_paused();
    struct thread *thread = old || (address && !paused) ? own_thread() : NULL;
    if (!thread) {
        return;
    }
    if (address) {
        uint32_t node = node_of(thread, has_gil(domain), caller);
        enum mt_op op = old ? MT_OP_REALLOC_END : MT_OP_ALLOC;
        enum mt_op op_seq = old ? MT_OP_REALLOC_END_SEQ : MT_OP_ALLOC_SEQ;
        domain |= paused && old ? MT_DOMAIN_PAUSED : 0;
        put_block(thread, op, op_seq, (uintptr_t)address, size, domain, node);
    } else {
        end_move(thread, MT_OP_REALLOC_CANCEL);
    }
    done_with(thread);
}

void trace_move_end(
    const void *old, const void *address, size_t size, enum mt_domain domain)
{
    put_move_end(old, address, size, domain, NULL);
}

void trace_native_move_end(
    const void *old, const void *address, size_t size, struct caller caller)
{
    put_move_end(old, address, size, MT_DOMAIN_MALLOC, &caller);
}

void trace_map(
    const void *address, size_t size, enum mt_map_flags flags, const struct caller *caller)
{
    bool moved = flags & (MT_MAP_MOVED | MT_MAP_BACK);
    bool wanted = !is_paused() || flags & MT_MAP_ARENA; /* arenas hold what was allocated before */
    struct thread *thread = wanted || moved ? own_thread() : NULL;
    if (!thread) {
        return;
    }
    uint32_t node = node_of(thread, false, caller);
    uint64_t *out = ring_reserve(thread, MAP_WORDS);
    if (out) {
        out[0] = MT_OP_META | (uint64_t)MT_META_MAP << 4 | (uint64_t)node << 12
            | (uint64_t)flags << 32;
        out[1] = (uintptr_t)address;
        out[2] = wanted ? size : 0;
        out[3] = order_needed() ? order_take_map() : MT_SEQ_NONE;
        ring_publish(thread, MAP_WORDS);
    } else {
        lost(thread, size);
    }
    done_with(thread);
}

void trace_unmap(const void *address, size_t size, enum mt_map_flags flags)
{
    struct thread *thread = own_thread();
    if (!thread) {
        return;
    }
    uint64_t *out = ring_reserve(thread, MAP_WORDS);
    if (out) {
        out[0] = MT_OP_META | (uint64_t)MT_META_UNMAP << 4 | (uint64_t)flags << 32;
        out[1] = (uintptr_t)address;
        out[2] = size;
        out[3] = order_needed() ? order_take_map() : MT_SEQ_NONE;
        ring_publish(thread, MAP_WORDS);
    } else {
        lost(thread, 0);
    }
    done_with(thread);
}

void trace_fork(void)
{
    struct thread *thread = own_thread();
    if (!thread) {
        return;
    }
    uint32_t number = atomic_fetch_add(&session.forks, 1) + 1;
    thread->forks = number;
    thread_tell_of_fork(thread);
    if (thread_depend_on_others(thread) && ring_meta(thread, MT_META_FORK, 0, number, NULL, 0)) {
        thread_self.fork = number;
        atomic_fetch_add(&session.control->forks_begun, 1);
    }
    done_with(thread);
}

void trace_end(void)
{
    struct thread *thread = own_thread();
    if (thread && !atomic_exchange(&end_written, 1)
        && !ring_meta(thread, MT_META_END, 0, 0, NULL, 0)) {
        atomic_store(&end_written, 0); /* in a gap: the next event tries again */
    }
}
