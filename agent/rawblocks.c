/*
 * A set of addresses (rawblocks.h).  In the host, inside the interpreter's raw
 * allocator, perhaps without the GIL: an entry is one word, and lies within a few
 * words of the place that its address gives it.
 */
#include "rawblocks.h"

#include <stdatomic.h>
#include <stdint.h>

#define ENTRIES 4096u
#define WINDOW 16u /* blocks are aligned to 16 bytes, so the kind fits below */

static _Atomic uintptr_t entries[ENTRIES + WINDOW];

static _Atomic uintptr_t *window_of(uintptr_t address)
{
    return &entries[(address >> 4) * 0x9e3779b97f4a7c15ull >> 52];
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
        replace(block, 0, block | kind);
    }
}

bool rawblocks_take(const void *address, enum rawblock kind)
{
    uintptr_t block = (uintptr_t)address;
    return block && replace(block, block | kind, 0);
}
