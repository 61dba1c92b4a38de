/*
 * Drawing samples and remembering them (sample.h).  In the host, inside malloc;
 * integers only, as a floating-point flag or trap would be the host's.
 *
 * The addresses of samples are kept in sets of lines of eight: the first set is
 * small, the next ones are made when a line is full in all before.  An entry is
 * one word that is exchanged; nothing moves, so nobody has to wait.
 */
#include "sample.h"

#include "session.h"
#include "sys.h"

#define LINE 8u
#define SETS 5u
#define FIRST_BITS 9u /* lines of the first set: 32 KiB; each further one is 16 times as large */
#define MORE_BITS 4u
#define COUNT_MAX 255u

struct line {
    _Alignas(64) _Atomic uintptr_t entries[LINE];
};

_Atomic uint8_t sample_filter[SAMPLE_FILTER];

static struct line first[1u << FIRST_BITS];
static struct line *_Atomic further[SETS]; /* [0] is not used */
static _Atomic uint32_t streams;           /* of random numbers, in this image */

/* ---- when the next sample is due ---- */

static uint64_t mix(uint64_t x) /* the finalizer of splitmix64 */
{
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ x >> 27) * 0x94d049bb133111ebull;
    return x ^ x >> 31;
}

/* splitmix64: every state has its number, none is seen twice. */
static uint64_t next_random(void)
{
    thread_self.random += 0x9e3779b97f4a7c15ull;
    return mix(thread_self.random);
}

/* A seed is given by tests alone: then the numbers differ by image and by thread, and are the same
   in the next run. */
static void seed(void)
{
    uint64_t start = session.control->sample_seed;
    if (start) {
        uint32_t stream = atomic_fetch_add(&streams, 1);
        start = mix(start) ^ mix((uint64_t)session.image << 32 | stream);
    } else if (!sys_random(&start, sizeof(start))) {
        start = mix(sys_clock_ms() ^ (uintptr_t)&thread_self) ^ (uint64_t)sys_tid() << 32;
    }
    thread_self.random = start;
    thread_self.is_seeded = true;
}

/* -log2(u / 2^64), with 48 bits behind the point: digit by digit, a square for each. */
static uint64_t minus_log2(uint64_t u)
{
    unsigned shift = (unsigned)__builtin_clzll(u);
    uint64_t digits = 0, y = u << shift; /* from 1 to 2, 63 bits behind the point */
    for (int i = 0; i < 48; i++) {
        unsigned __int128 square = (unsigned __int128)y * y >> 63;
        uint64_t digit = (uint64_t)(square >> 64);
        digits = digits << 1 | digit;
        y = (uint64_t)(square >> digit);
    }
    return ((uint64_t)(shift + 1) << 48) - digits;
}

/* Bytes that may pass before the next sample: one less than the distance to it. */
static uint64_t draw_gap(void)
{
    const uint64_t ln2 = 0xb17217f7d1cf79acull; /* 64 bits behind the point */
    uint64_t u = next_random();
    uint64_t nats = (uint64_t)((unsigned __int128)minus_log2(u ? u : 1) * ln2 >> 64);
    return (uint64_t)((unsigned __int128)nats * session.sample_bytes >> 48);
}

bool sample_draw(size_t size)
{
    size += !size;
    if (!session.wanted) {
        thread_self.gap = UINT64_MAX; /* nobody wants any more */
        return false;
    }
    if (!thread_self.is_seeded) {
        seed();
        thread_self.gap = draw_gap();
    }
    if (sample_passes(size)) {
        return false;
    }
    thread_self.gap = draw_gap();
    return true;
}

void sample_forked(void)
{
    atomic_store(&streams, 0);
    thread_self.is_seeded = false;
    thread_self.gap = 0;
}

/* ---- which blocks were samples ---- */

static struct line *set_of(uint32_t i)
{
    return i ? atomic_load_explicit(&further[i], memory_order_acquire) : first;
}

static struct line *line_of(struct line *set, uint32_t i, uintptr_t address)
{
    uint64_t hash = (address >> 4) * 0x9e3779b97f4a7c15ull;
    return &set[hash >> (64 - FIRST_BITS - i * MORE_BITS)];
}

static struct line *make_set(uint32_t i)
{
    size_t size = sizeof(struct line) << (FIRST_BITS + i * MORE_BITS);
    struct line *made = sys_map_private(size), *other = NULL;
    if (made && !atomic_compare_exchange_strong(&further[i], &other, made)) {
        sys_unmap(made, size);
        return other;
    }
    return made;
}

static bool replace(struct line *line, uintptr_t old, uintptr_t new)
{
    for (uint32_t i = 0; i < LINE; i++) {
        uintptr_t expected = old;
        if (atomic_load_explicit(&line->entries[i], memory_order_relaxed) == old &&
            atomic_compare_exchange_strong(&line->entries[i], &expected, new)) {
            return true;
        }
    }
    return false;
}

static bool insert(uintptr_t address)
{
    for (uint32_t i = 0; i < SETS; i++) {
        struct line *set = set_of(i);
        set = set ? set : make_set(i);
        if (!set) {
            return false;
        }
        if (replace(line_of(set, i, address), 0, address)) {
            return true;
        }
    }
    return false;
}

static bool remove_from(uintptr_t address)
{
    struct line *set;
    for (uint32_t i = 0; i < SETS && (set = set_of(i)); i++) {
        if (replace(line_of(set, i, address), address, 0)) {
            return true;
        }
    }
    return false;
}

/* One up or down, unless the count has come to its end. */
static void count(const void *address, int step)
{
    _Atomic uint8_t *at = sample_count(address);
    uint8_t now = atomic_load(at);
    while (now != COUNT_MAX && !atomic_compare_exchange_weak(at, &now, (uint8_t)(now + step))) {
    }
}

bool sample_note(const void *address)
{
    count(address, 1);
    if (insert((uintptr_t)address)) {
        return true;
    }
    count(address, -1);
    return false;
}

bool sample_take(const void *address)
{
    if (!address || !remove_from((uintptr_t)address)) {
        return false;
    }
    count(address, -1);
    return true;
}
