/*
 * A set of addresses (rawblocks.h).  In the host, inside the interpreter's raw
 * allocator, perhaps without the GIL: an entry is one word, and lies within a few
 * words of the place that its address gives it.  There are few, and every raw block is asked for:
 * most are answered by the count of entries whose hash begins as theirs.
 */
#include "rawblocks.h"

#include <stdatomic.h>
#include <stdint.h>

#define ENTRIES 4096u
#define WINDOW 16u /* blocks are aligned to 16 bytes, so the kind fits below */

#define COUNTS 256u

static _Atomic uintptr_t entries[ENTRIES + WINDOW];
static _Atomic uint16_t counts[COUNTS]; /* never fewer than there are */

static uint64_t hash_of(uintptr_t address)
{
    return (address >> 4) * 0x9e3779b97f4a7c15ull;
}

static _Atomic uintptr_t *window_of(uintptr_t address)
{
    return &entries[hash_of(address) >> 52];
}

static _Atomic uint16_t *count_of(uintptr_t address)
{
    return &counts[hash_of(address) >> 56];
}

static bool replace(uintptr_t address, uintptr_t old, uintptr_t new)
{
    _Atomic uintptr_t *window = window_of(address);
    for (uint32_t i = 0; i < WINDOW; i++) {
        uintptr_t expected = old;
        if (atomic_load_explicit(&window[i], memory_order_relaxed) == old &&
            atomic_compare_exchange_strong(&window[i], &expected, new)) {
            return true;
        }
    }
    return false;
}

void rawblocks_note(const void *address, enum rawblock kind)
{
    uintptr_t block = (uintptr_t)address;
    if (block && block % 16 == 0) {
        rawblocks_take(address, kind); /* of one before in its place */
        atomic_fetch_add(count_of(block), 1);
        if (!replace(block, 0, block | kind)) {
            atomic_fetch_sub(count_of(block), 1);
        }
    }
}

bool rawblocks_take(const void *address, enum rawblock kind)
{
    uintptr_t block = (uintptr_t)address;
    if (!block || !atomic_load_explicit(count_of(block), memory_order_relaxed) ||
        !replace(block, block | kind, 0)) {
        return false;
    }
    atomic_fetch_sub(count_of(block), 1);
    return true;
}
