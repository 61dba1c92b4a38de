/*
 * An allocator whose functions may be called in signal handlers: no lock, no
 * state but a flag for each slot.  Larger blocks are never used again.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define SLOTS 65536u
#define SLOT 256u
#define LARGE (1ull << 30)

static struct slot {
    _Alignas(SLOT) char bytes[SLOT];
} slots[SLOTS];
static _Atomic uint8_t taken[SLOTS];
static _Atomic uint32_t hint;
static char large[LARGE] __attribute__((aligned(4096)));
static _Atomic uint64_t large_used;

static void *take(size_t size, size_t alignment)
{
    if (size > SLOT || alignment > SLOT) {
        size_t whole = ((size + 32 + 4095) & ~4095ull) + alignment;
        uint64_t at = atomic_fetch_add(&large_used, whole);
        if (at + whole > LARGE) {
            errno = ENOMEM;
            return NULL;
        }
        uintptr_t start = ((uintptr_t)large + at + 32 + alignment - 1) & ~(alignment - 1);
        ((size_t *)start)[-1] = size;
        return (void *)start;
    }
    for (uint32_t i = atomic_load(&hint), turns = 0; turns < SLOTS; i++, turns++) {
        uint8_t none = 0;
        if (atomic_compare_exchange_strong(&taken[i % SLOTS], &none, 1)) {
            atomic_store(&hint, i); /* the same again at once, if it is freed */
            return slots[i % SLOTS].bytes;
        }
    }
    errno = ENOMEM;
    return NULL;
}

static int is_slot(const void *address)
{
    return (uintptr_t)address - (uintptr_t)slots < sizeof(slots);
}

static void give(void *address)
{
    if (is_slot(address)) {
        uint32_t i = (uint32_t)(((uintptr_t)address - (uintptr_t)slots) / SLOT);
        atomic_store(&hint, i);
        atomic_store(&taken[i], 0);
    }
}

void *malloc(size_t size)
{
    return take(size, 16);
}

void free(void *address)
{
    give(address);
}

void *calloc(size_t count, size_t size)
{
    void *address = take(count * size, 16);
    return address ? memset(address, 0, count * size) : NULL;
}

void *realloc(void *old, size_t size)
{
    size_t old_size = !old ? 0 : is_slot(old) ? SLOT : ((size_t *)old)[-1];
    void *address = take(size, 16);
    if (address && old) {
        memcpy(address, old, size < old_size ? size : old_size);
        give(old);
    }
    return address;
}

void *memalign(size_t alignment, size_t size)
{
    return take(size, alignment);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return take(size, alignment);
}

int posix_memalign(void **out, size_t alignment, size_t size)
{
    *out = take(size, alignment);
    return *out ? 0 : ENOMEM;
}
