/*
 * The hot path: an event of a thread that has its ring, on a stack that is at hand, with room in
 * the ring and nothing else to say.  In the host, inside malloc.
 *
 * Each function returns false, having changed nothing, where anything is out of the ordinary: the
 * one of the same name in trace.c then does all of it.
 */
#ifndef AGENT_FAST_H
#define AGENT_FAST_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "activation.h"
#include "intern.h"
#include "native.h"
#include "order.h"
#include "pystack.h"
#include "python.h"
#include "selfcheck.h"
#include "session.h"
#include "thread.h"
#include "trace.h"

/* ---- guard ---- */

FAST void fast_guard(uint32_t depth, enum below below)
{
    atomic_signal_fence(memory_order_seq_cst);
    thread_self.guard = depth | (uint64_t)below << 32;
    atomic_signal_fence(memory_order_seq_cst);
}

/* True for the outermost call of a thread while everything is recorded.  Then the hook calls what
   is below it between fast_below and fast_record, and fast_leave at the end. */
FAST bool fast_may_enter(void)
{
    return USUALLY(thread_self.depth == 0) && USUALLY(session_live.on == 1) &&
           USUALLY(*python.finalizing == 0);
}

FAST void fast_below(enum below below)
{
    fast_guard(1, below);
}

FAST void fast_record(void)
{
    fast_guard(1, BELOW_NOTHING);
}

FAST void fast_leave(void)
{
    fast_guard(0, BELOW_NOTHING);
}

/* ---- stack ---- */

/* Without the GIL the state of who holds it says nothing. */
FAST uintptr_t fast_state(bool with_gil)
{
    if (with_gil || python.state_is_own) {
        return pycurrent_load(&python.current_at);
    }
    fast_guard(1, BELOW_NATIVE);
    uintptr_t state = python.readable && !python.is_late ? (uintptr_t)python.of_this_thread() : 0;
    fast_guard(1, BELOW_NOTHING);
    return state;
}

FAST bool fast_node(struct thread *thread, bool with_gil, enum py_mark_kind kind, uint32_t *node)
{
    if (RARELY(intern_deaths_pending(thread))) {
        return false;
    }
    uintptr_t state = fast_state(with_gil);
    if (RARELY(!state) || RARELY(!activation_may_mark(thread, state, kind)) ||
        !activation_step(thread, activation_innermost(state, kind), kind, node)) {
        return false;
    }
    selfcheck_stack(thread, state, *node);
    return true;
}

/* ---- ring ---- */

#define FAST_WORDS 3u

/* Room for FAST_WORDS, and no time to be written first. */
FAST bool fast_has_room(const struct thread *thread)
{
    uint64_t now = atomic_load_explicit(&session.control->clock_us, memory_order_relaxed);
    return USUALLY(thread->head + FAST_WORDS <= thread->limit) &&
           USUALLY(now == atomic_load_explicit(&thread->clock_us, memory_order_relaxed));
}

FAST void fast_publish(struct thread *thread, uint64_t head)
{
    thread->head = head;
    atomic_store_explicit(&thread->ring->head, head, memory_order_release);
}

FAST bool fast_put_block(struct thread *thread, enum mt_op op, uintptr_t address,
    uint64_t size_and_domain, uint32_t node)
{
    bool is_ordered;
    if (!fast_has_room(thread) || !order_known(&is_ordered)) {
        return false;
    }
    uint64_t head = thread->head, *out = &thread->words[head & thread->mask];
    uint64_t word = op | size_and_domain << 4;
    if (RARELY(is_ordered)) {
        word += (MT_OP_ALLOC_SEQ - MT_OP_ALLOC) | (uint64_t)order_take(address) << 32;
    }
    out[0] = word;
    out[1] = (uint64_t)address << 16 | node;
    fast_publish(thread, head + 2);
    return true;
}

FAST bool fast_put_address(struct thread *thread, enum mt_op op, uintptr_t address)
{
    bool is_ordered;
    if (!fast_has_room(thread) || !order_known(&is_ordered)) {
        return false;
    }
    uint64_t head = thread->head, *out = &thread->words[head & thread->mask];
    uint64_t word = op | (uint64_t)address << 16;
    if (RARELY(is_ordered)) {
        out[0] = word + (MT_OP_FREE_SEQ - MT_OP_FREE);
        out[1] = order_take(address);
        fast_publish(thread, head + 2);
    } else {
        out[0] = word;
        fast_publish(thread, head + 1);
    }
    return true;
}

/* ---- events ---- */

#define FAST_SIZE_LIMIT (1u << 24) /* more does not go into one word */

FAST bool fast_block(
    enum mt_op op, const void *address, size_t size, enum mt_domain domain, enum py_mark_kind kind)
{
    struct thread *thread = thread_self.thread;
    bool with_gil = domain == MT_DOMAIN_OBJ || domain == MT_DOMAIN_MEM;
    uint32_t node;
    if (RARELY(!address) || RARELY(!thread) || RARELY(size >= FAST_SIZE_LIMIT)) {
        return false;
    }
    return kind != PY_MARK_NONE && fast_node(thread, with_gil, kind, &node) &&
           fast_put_block(thread, op, (uintptr_t)address, domain | (uint64_t)size << 4, node);
}

/* The same after a call or a return, of which fast_block knows nothing. */
FAST bool fast_block_after_hop(
    enum mt_op op, const void *address, size_t size, enum mt_domain domain)
{
    struct thread *thread = thread_self.thread;
    bool with_gil = domain == MT_DOMAIN_OBJ || domain == MT_DOMAIN_MEM;
    uint32_t node;
    if (!address || !thread || size >= FAST_SIZE_LIMIT || intern_deaths_pending(thread) ||
        thread->is_unnamed) {
        return false;
    }
    uintptr_t state = fast_state(with_gil);
    if (!state || !pystack_hop(thread, state, &node)) {
        return false;
    }
    selfcheck_stack(thread, state, node);
    return fast_put_block(thread, op, (uintptr_t)address, domain | (uint64_t)size << 4, node);
}

/* The same with the native caller on top. */
FAST bool fast_native_block(enum mt_op op, const void *address, size_t size, struct caller caller)
{
    struct thread *thread = thread_self.thread;
    uint32_t node = 0;
    if (RARELY(!address) || RARELY(!thread) || RARELY(size >= FAST_SIZE_LIMIT) ||
        (python.readable && !fast_node(thread, false, python.offsets.mark_kind, &node))) {
        return false;
    }
    const struct native_site *site = native_slot(thread, node, caller.address);
    return native_is_at(thread, site, node, caller.address) &&
           fast_put_block(
               thread, op, (uintptr_t)address, MT_DOMAIN_MALLOC | (uint64_t)size << 4, site->node);
}

FAST bool fast_native_alloc(const void *address, size_t size, struct caller caller)
{
    return __builtin_expect(fast_native_block(MT_OP_ALLOC, address, size, caller), 1);
}

FAST bool fast_native_move_end(
    const void *old, const void *address, size_t size, struct caller caller)
{
    enum mt_op op = old ? MT_OP_REALLOC_END : MT_OP_ALLOC;
    return __builtin_expect(fast_native_block(op, address, size, caller), 1);
}

FAST bool fast_alloc(
    const void *address, size_t size, enum mt_domain domain, enum py_mark_kind kind)
{
    return __builtin_expect(fast_block(MT_OP_ALLOC, address, size, domain, kind), 1);
}

FAST bool fast_move_end(const void *old, const void *address, size_t size, enum mt_domain domain,
    enum py_mark_kind kind)
{
    return __builtin_expect(
        fast_block(old ? MT_OP_REALLOC_END : MT_OP_ALLOC, address, size, domain, kind), 1);
}

FAST bool fast_address(enum mt_op op, const void *address)
{
    struct thread *thread = thread_self.thread;
    return __builtin_expect(
        address && thread && fast_put_address(thread, op, (uintptr_t)address), 1);
}

FAST bool fast_free(const void *address)
{
    return fast_address(MT_OP_FREE, address);
}

FAST bool fast_move_begin(const void *old)
{
    return !old || fast_address(MT_OP_REALLOC_BEGIN, old);
}

#endif
