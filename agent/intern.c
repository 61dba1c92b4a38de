/*
 * The trie of stacks and the table of codes (intern.h).  In the host, inside
 * malloc; memory comes from mmap alone.
 *
 * A node holds up to three children inline, found by a 16-bit tag; more go to a
 * hash table.  Nodes lie in the order of their creation, so that a stack's nodes
 * are mostly neighbours.
 */
#include "intern.h"

#include <string.h>

#include "codelines.h"
#include "pycode.h"
#include "ring.h"
#include "selfcheck.h"
#include "sys.h"

#define NODES_START 256u
#define NODES_SHARE 98304u /* nodes of a whole process, in soft limits of its threads */
#define NODES_FAIR 4096u
#define NODES_STEP 1024u /* between two looks at whether there are too many */
#define CODES_START 256u
#define CODES_SHARE 16384u
#define INLINE_CHILDREN 3u
#define DEATHS 1024u
#define TOMBSTONE 1u

/* The last code objects that were freed, by any thread. */
static struct death {
    _Atomic uint64_t number;
    _Atomic uintptr_t address;
} deaths[DEATHS];
_Atomic uint64_t intern_deaths;

static uint64_t mix(uint64_t x)
{
    x *= 0x9e3779b97f4a7c15ull;
    return x ^ x >> 29;
}

/* Rounded up to what is touched, for the collector to take off the RSS it samples. */
static void tell_size(const struct thread *thread)
{
    uint64_t bytes = thread->n_nodes * sizeof(struct node) +
                     thread->codes_capacity * sizeof(struct code) +
                     (thread->overflow_capacity + thread->line_words_capacity) * sizeof(uint64_t) +
                     thread->levels_capacity * sizeof(struct level);
    atomic_store_explicit(&thread->ring->agent_bytes, bytes, memory_order_relaxed);
}

bool intern_setup(struct thread *thread)
{
    thread->nodes_capacity = NODES_START;
    thread->nodes = sys_map_private(NODES_START * sizeof(struct node));
    thread->codes_capacity = CODES_START;
    thread->codes = sys_map_private(CODES_START * sizeof(struct code));
    thread->n_nodes = 1; /* node 0 is the empty stack */
    thread->deaths_seen = atomic_load(&intern_deaths);
    return thread->nodes && thread->codes;
}

static void discard(void *memory, size_t size)
{
    if (memory) {
        sys_unmap(memory, size);
    }
}

void intern_discard(struct thread *thread)
{
    discard(thread->nodes, thread->nodes_capacity * sizeof(struct node));
    discard(thread->codes, thread->codes_capacity * sizeof(struct code));
    discard(thread->overflow, thread->overflow_capacity * sizeof(uint64_t));
    thread->nodes = NULL;
    thread->codes = NULL;
    thread->overflow = NULL;
    codelines_discard(thread);
}

bool intern_count(struct thread *thread, uint32_t more)
{
    uint32_t threads = thread_count();
    uint32_t share = NODES_SHARE / (threads ? threads : 1);
    uint32_t limit = share > NODES_FAIR ? share : NODES_FAIR;
    bool is_full = (thread->n_nodes > limit && thread->n_nodes / 4 > thread->depth) ||
                   thread->n_nodes + more > MT_NODE_LIMIT || thread->n_codes > CODES_SHARE;
    if (!is_full) { /* or else whoever can reset it has to be told too */
        uint32_t checked = thread->n_nodes + more + NODES_STEP;
        thread->nodes_checked = checked < MT_NODE_LIMIT ? checked : MT_NODE_LIMIT;
    }
    return is_full;
}

static void forget_memos(struct thread *thread)
{
    memset(thread->memos, 0, sizeof(thread->memos));
}

__attribute__((noinline)) void intern_reset(struct thread *thread)
{
    memset(thread->nodes, 0, sizeof(struct node)); /* the others are written when made */
    memset(thread->codes, 0, thread->codes_capacity * sizeof(struct code));
    if (thread->overflow) {
        memset(thread->overflow, 0, thread->overflow_capacity * sizeof(uint64_t));
    }
    forget_memos(thread);
    codelines_reset(thread);
    thread->n_nodes = 1;
    thread->nodes_checked = 0;
    thread->n_overflow = thread->codes_used = thread->n_codes = 0;
    thread->native.n_modules = thread->native.last_number = thread->native.unloads = 0;
    thread_set_depth(thread, 0);
    ring_meta(thread, MT_META_RESET, 0, 0, NULL, 0);
}

/* ---- nodes ---- */

static uint32_t overflow_hash(uint32_t parent, uint64_t key)
{
    return (uint32_t)(mix(key + mix(parent)) >> 8);
}

/* Where the child is, or would go. */
static uint64_t *overflow_slot(
    const struct thread *thread, uint32_t hash, uint32_t parent, uint64_t key)
{
    uint32_t mask = thread->overflow_capacity - 1;
    for (uint32_t at = hash & mask;; at = (at + 1) & mask) {
        uint64_t *slot = &thread->overflow[at];
        const struct node *node = &thread->nodes[(uint32_t)*slot];
        if (!*slot || (*slot >> 32 == hash && node->parent == parent && node->key == key)) {
            return slot;
        }
    }
}

static bool grow_overflow(struct thread *thread)
{
    uint32_t old_capacity = thread->overflow_capacity;
    uint64_t *old = thread->overflow;
    uint32_t capacity = old_capacity ? old_capacity * 2 : 512;
    uint64_t *table = sys_map_private(capacity * sizeof(uint64_t));
    if (!table) {
        return false;
    }
    thread->overflow = table;
    thread->overflow_capacity = capacity;
    for (uint32_t i = 0; i < old_capacity; i++) {
        if (old[i]) {
            uint32_t at = (uint32_t)(old[i] >> 32) & (capacity - 1);
            while (table[at]) {
                at = (at + 1) & (capacity - 1);
            }
            table[at] = old[i];
        }
    }
    discard(old, old_capacity * sizeof(uint64_t));
    return true;
}

static bool add_overflow(struct thread *thread, uint32_t parent, uint64_t key, uint32_t child)
{
    uint32_t hash = overflow_hash(parent, key);
    if (thread->n_overflow * 2 >= thread->overflow_capacity && !grow_overflow(thread)) {
        return false;
    }
    *overflow_slot(thread, hash, parent, key) = (uint64_t)hash << 32 | child;
    thread->n_overflow++;
    return true;
}

static bool grow_nodes(struct thread *thread)
{
    size_t old_size = thread->nodes_capacity * sizeof(struct node);
    if (thread->nodes_capacity >= MT_NODE_LIMIT) {
        return false;
    }
    struct node *nodes = sys_grow_private(thread->nodes, old_size, old_size * 2);
    if (!nodes) {
        return false;
    }
    thread->nodes = nodes;
    thread->nodes_capacity *= 2;
    tell_size(thread);
    return true;
}

static bool define_node(struct thread *thread, uint32_t id)
{
    const struct node *node = &thread->nodes[id];
    uint64_t *out = ring_reserve(thread, 2);
    if (!out) {
        return false;
    }
    out[0] = MT_OP_NODE | (uint64_t)id << 4 | (uint64_t)node->parent << 24;
    out[1] = node->key >> 32 | node->key << 32;
    ring_publish(thread, 2);
    return true;
}

static __attribute__((noinline)) uint32_t add_node(
    struct thread *thread, uint32_t parent, uint64_t key, uint16_t tag)
{
    if (thread->n_nodes == thread->nodes_capacity && !grow_nodes(thread)) {
        return parent;
    }
    uint32_t id = thread->n_nodes;
    struct node *up = &thread->nodes[parent], *node = &thread->nodes[id];
    memset(node, 0, sizeof(*node));
    node->key = key;
    node->parent = parent;
    if (up->children < INLINE_CHILDREN) {
        up->tags[up->children] = tag;
        up->child[up->children++] = id;
    } else if (!add_overflow(thread, parent, key, id)) {
        return parent;
    }
    thread->n_nodes++;
    return define_node(thread, id) ? id : parent;
}

uint32_t intern_node(struct thread *thread, uint32_t parent, uint32_t code_id, uint32_t instruction)
{
    uint64_t key = (uint64_t)code_id << 32 | instruction;
    uint16_t tag = (uint16_t)(mix(key) >> 16);
    const struct node *up = &thread->nodes[parent];
    for (uint32_t i = 0; i < up->children; i++) {
        if (up->tags[i] == tag && thread->nodes[up->child[i]].key == key) {
            return up->child[i];
        }
    }
    if (up->children == INLINE_CHILDREN && thread->n_overflow) {
        uint32_t hash = overflow_hash(parent, key);
        uint32_t child = (uint32_t)*overflow_slot(thread, hash, parent, key);
        if (child) {
            return child;
        }
    }
    return add_node(thread, parent, key, tag);
}

/* ---- codes ---- */

static struct code *code_slot(const struct thread *thread, uintptr_t address)
{
    uint32_t mask = thread->codes_capacity - 1;
    uint32_t slot = (uint32_t)mix(address >> 4) & mask;
    while (thread->codes[slot].address && thread->codes[slot].address != address) {
        slot = (slot + 1) & mask;
    }
    return &thread->codes[slot];
}

/* Doubles the table where it is full of codes, cleans it where it is full of tombstones. */
static bool grow_codes(struct thread *thread)
{
    struct code *old = thread->codes;
    uint32_t old_capacity = thread->codes_capacity, live = 0;
    for (uint32_t i = 0; i < old_capacity; i++) {
        live += old[i].address > TOMBSTONE;
    }
    uint32_t capacity = live * 4 > old_capacity ? old_capacity * 2 : old_capacity;
    struct code *table = sys_map_private(capacity * sizeof(struct code));
    if (!table) {
        return false;
    }
    thread->codes = table;
    thread->codes_capacity = capacity;
    thread->codes_used = live;
    for (uint32_t i = 0; i < old_capacity; i++) {
        if (old[i].address > TOMBSTONE) {
            *code_slot(thread, old[i].address) = old[i];
        }
    }
    sys_unmap(old, old_capacity * sizeof(struct code));
    tell_size(thread);
    return true;
}

const struct code *intern_code(struct thread *thread, uintptr_t address)
{
    struct code *slot = code_slot(thread, address);
    if (slot->address) {
        return slot;
    }
    if (thread->codes_used * 2 >= thread->codes_capacity) {
        if (!grow_codes(thread)) {
            return NULL;
        }
        slot = code_slot(thread, address);
    }
    struct code code = {.address = address, .id = thread->n_codes};
    if (!pycode_read(thread, &code)) {
        return NULL;
    }
    codelines_define(thread, &code);
#ifdef MEMTRACE_SELFCHECK
    code.selfcheck = selfcheck_code(address);
#endif
    thread->codes_used++;
    thread->n_codes++;
    *slot = code;
    return slot;
}

/* ---- deaths of code objects ---- */

void intern_code_dies(uintptr_t address)
{
    uint64_t number = atomic_fetch_add(&intern_deaths, 1) + 1;
    struct death *death = &deaths[number % DEATHS];
    atomic_store(&death->number, 0);
    atomic_store(&death->address, address);
    atomic_store(&death->number, number);
}

void intern_distrust(void)
{
    atomic_fetch_add(&intern_deaths, 2 * DEATHS);
}

static void bury(struct thread *thread, uintptr_t address)
{
    struct code *code = code_slot(thread, address);
    if (code->address) {
        code->address = TOMBSTONE;
        thread_set_depth(thread, 0);
        forget_memos(thread);
    }
}

__attribute__((noinline)) void intern_bury(struct thread *thread)
{
    uint64_t count = atomic_load(&intern_deaths);
    while (thread->deaths_seen < count) {
        uint64_t number = thread->deaths_seen + 1;
        struct death *death = &deaths[number % DEATHS];
        uintptr_t address = atomic_load(&death->address);
        uint64_t found = atomic_load(&death->number);
        if (count - number >= DEATHS || found > number) {
            intern_reset(thread);
            thread->deaths_seen = count;
        } else if (found == number && atomic_load(&death->address) == address) {
            bury(thread, address);
            thread->deaths_seen = number;
        } else {
            return; /* being written by a thread whose code we cannot run yet */
        }
    }
}
