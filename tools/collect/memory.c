/*
 * Allocation that does not fail (memory.h).  In the collector.
 *
 * The store hands out blocks of a few sizes for each power of two, each behind a
 * word that names its size, and keeps freed ones in lists.  Room in the file is
 * reserved before it is touched: a full file system is noticed here, and is no
 * SIGBUS.
 */
#include "collect/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Another one whenever what lies in a store has changed. */
#define STORE_MAGIC 0x39524f54534d454dull /* "MEMSTOR9" */
#ifdef __SANITIZE_THREAD__
#define STORE_ADDRESS 0x7e9000000000ull /* the other one is ThreadSanitizer's */
#else
#define STORE_ADDRESS 0x200000000000ull
#endif
#define STORE_SIZE (1ull << 37)
#define STORE_STEP (1ull << 20) /* reserved at least at a time */
#define LARGE (1ull << 16)      /* from here on a block's pages are reserved for itself */
#define CLASSES 160u            /* four for each power of two */
#define HEAD 16u                /* bytes before a block */
#define LINE 64u                /* a cache line: blocks from LINED bytes on begin with one */
#define LINED 4096u
#define GROWING (256ull << 10) /* an array of so many bytes may become much larger */
#define GROWTH 8u
#define QUARTERS (1ull << 20) /* from so many bytes on arrays grow by a quarter */

struct store {
    uint64_t magic, layout;
    void *root;
    uint64_t used, reserved; /* bytes from the start */
    uint64_t free[CLASSES];  /* lists of offsets, 0 ends */
};

struct head {
    uint64_t class; /* of this block */
    uint64_t next;  /* while it is free; the bytes asked for while it is not */
};

static struct store *store;
static int store_fd = -1;
static bool store_is_full;
static __thread bool apart;

static void fail(void)
{
    fputs("memtrace: the collector has no memory left; the program goes on untraced\n", stderr);
    exit(125);
}

static void *checked(void *memory)
{
    if (!memory) {
        fail();
    }
    return memory;
}

/* ---- the store ---- */

static uint64_t class_size(uint32_t class)
{
    return (4ull + class % 4) << (class / 4 + 3);
}

static uint32_t class_of(uint64_t size)
{
    uint32_t class = 0;
    if (size > 64) {
        class = 4 * ((uint32_t)(63 - __builtin_clzll(size)) - 5) - 4;
    }
    while (class_size(class) < size) {
        class ++;
    }
    return class;
}

static void *at(uint64_t offset)
{
    return (uint8_t *)store + offset;
}

bool memory_is_in_store(const void *memory)
{
    uint64_t address = (uintptr_t)memory;
    return store && address >= STORE_ADDRESS && address < STORE_ADDRESS + STORE_SIZE;
}

/* Makes sure that the file has pages for [start, end).  Where there is no room for them the store
   is full for good: memory is the C library's from then on, and a kill cannot be recovered. */
static bool reserve(uint64_t start, uint64_t end, bool is_large)
{
    if (end <= store->reserved && !is_large) {
        return true;
    }
    uint64_t from = start & ~4095ull, size = end - from;
    if (!is_large) {
        from = from > store->reserved ? from : store->reserved;
        size = (end - from + STORE_STEP - 1) & ~(STORE_STEP - 1);
    }
    if (from + size > STORE_SIZE || posix_fallocate(store_fd, (off_t)from, (off_t)size) != 0) {
        store_is_full = true;
        store->root = NULL;
        return false;
    }
    store->reserved = from + size > store->reserved ? from + size : store->reserved;
    return true;
}

/* Where a new block of the class goes: what a large one holds begins with a cache line. */
static uint64_t start_of(uint32_t class)
{
    uint64_t start = store->used;
    return class_size(class) < LINED ? start : (start + HEAD + LINE - 1) / LINE * LINE - HEAD;
}

/* A block of the class, of which `size` bytes will be used; NULL if there is no room. */
static struct head *take(uint32_t class, uint64_t size, bool *fresh)
{
    uint64_t offset = store->free[class];
    *fresh = offset == 0;
    uint64_t start = offset ? offset : start_of(class);
    if (!reserve(start, start + size, size >= LARGE)) {
        return NULL;
    }
    if (offset) {
        struct head *head = at(offset);
        store->free[class] = head->next;
        return head;
    }
    store->used = start + class_size(class);
    return at(start);
}

static void *store_zeroed(uint64_t bytes, uint32_t class)
{
    bool fresh;
    struct head *head = store_is_full ? NULL : take(class, bytes + HEAD, &fresh);
    if (!head) {
        return checked(calloc(1, bytes));
    }
    if (!fresh) {
        memset(head, 0, HEAD + bytes);
    }
    head->class = class;
    head->next = bytes;
    return (uint8_t *)head + HEAD;
}

static struct head *head_of(void *memory)
{
    return (struct head *)((uint8_t *)memory - HEAD);
}

/* Of a large block only the first page stays: shared memory counts for the limit that the program
   is under.  Whoever takes the block reserves its pages again. */
static void give_back_pages(const struct head *head)
{
    uint64_t start = (uint64_t)((const uint8_t *)head - (uint8_t *)store);
    uint64_t end = (start + class_size((uint32_t)head->class)) & ~4095ull;
    uint64_t from = (start + sizeof(*head) + 4095) & ~4095ull;
    if (class_size((uint32_t)head->class) >=
        2 * LARGE) { /* whatever has this class is large: classes are 5/4 apart */
        fallocate(
            store_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)from, (off_t)(end - from));
    }
}

static void store_free(void *memory)
{
    struct head *head = head_of(memory);
    give_back_pages(head);
    head->next = store->free[head->class];
    store->free[head->class] = (uint64_t)((uint8_t *)head - (uint8_t *)store);
}

/* A large array that had to move once has room to grow in its place: addresses cost nothing, pages
   are reserved as they are asked for.  Copying it keeps the program waiting. */
static uint32_t class_to_grow(uint64_t bytes, bool is_moved)
{
    uint32_t class = class_of((is_moved && bytes >= GROWING ? bytes * GROWTH : bytes) + HEAD);
    bool fits = store->used + class_size(class) < STORE_SIZE / 2;
    return fits ? class : class_of(bytes + HEAD);
}

static void *store_resize(void *memory, size_t size)
{
    struct head *head = memory ? head_of(memory) : NULL;
    uint64_t room = head ? class_size((uint32_t)head->class) - HEAD : 0;
    uint64_t old = head ? head->next : 0;
    uint64_t start = head ? (uint64_t)((uint8_t *)head - (uint8_t *)store) : 0;
    uint64_t had = size >= LARGE ? HEAD + (old < size ? old : size) : 0;
    if (head && size <= room && reserve(start + had, start + HEAD + size, size >= LARGE)) {
        head->next = size;
        return memory;
    }
    void *moved = store_zeroed(size, class_to_grow(size, memory));
    if (head) {
        memcpy(moved, memory, old < size ? old : size);
        store_free(memory);
    }
    return moved;
}

static void *map_store(int fd)
{
    void *memory = mmap((void *)STORE_ADDRESS, STORE_SIZE, PROT_READ | PROT_WRITE,
        MAP_SHARED | MAP_FIXED_NOREPLACE | MAP_NORESERVE, fd, 0);
    if (memory != MAP_FAILED && memory != (void *)STORE_ADDRESS) {
        munmap(memory, STORE_SIZE); /* an old kernel took the address for a hint */
        memory = MAP_FAILED;
    }
    return memory == MAP_FAILED ? NULL : memory;
}

int memory_open_store(int fd)
{
    int error = posix_fallocate(fd, 0, STORE_STEP);
    struct store *mapped = error ? NULL : map_store(fd);
    if (!mapped) {
        return error ? error : ENOMEM;
    }
    store = mapped;
    store_fd = fd;
    *store = (struct store){.magic = STORE_MAGIC,
        .layout = sizeof(struct store),
        .used = (sizeof(struct store) + HEAD - 1) & ~(uint64_t)(HEAD - 1),
        .reserved = STORE_STEP};
    return 0;
}

void *memory_reopen_store(int fd)
{
    struct store *mapped = map_store(fd);
    if (!mapped) {
        return NULL;
    }
    if (mapped->magic != STORE_MAGIC || mapped->layout != sizeof(struct store)) {
        munmap(mapped, STORE_SIZE);
        return NULL;
    }
    store = mapped;
    store_fd = fd;
    return store->root;
}

void memory_set_root(void *root)
{
    if (store) {
        store->root = root;
    }
}

bool memory_is_stored(void)
{
    return store != NULL;
}

void memory_close_store(void)
{
    if (store) {
        munmap(store, STORE_SIZE);
        store = NULL;
        store_fd = -1;
    }
}

/* ---- both kinds ---- */

void memory_apart(void)
{
    apart = true;
}

static size_t product(size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count ? count : 1, size, &bytes)) {
        fail();
    }
    return bytes;
}

void *memory_zeroed_outside(size_t count, size_t size)
{
    return checked(calloc(1, product(count, size)));
}

void *memory_zeroed(size_t count, size_t size)
{
    size_t bytes = product(count, size);
    return store && !apart ? store_zeroed(bytes, class_of(bytes + HEAD))
                           : checked(calloc(1, bytes));
}

void *memory_resize(void *memory, size_t size)
{
    if (store && !apart && (memory ? memory_is_in_store(memory) : !store_is_full)) {
        return store_resize(memory, size);
    }
    return checked(realloc(memory, size));
}

void *memory_grow(void *array, size_t *capacity, size_t need, size_t size)
{
    if (need <= *capacity) {
        return array;
    }
    size_t grown = *capacity ? *capacity : 64;
    while (grown < need || grown == *capacity) {
        grown += grown * size < QUARTERS ? grown : grown / 4;
    }
    array = memory_resize(array, product(grown, size));
    memset((char *)array + *capacity * size, 0, (grown - *capacity) * size);
    *capacity = grown;
    return array;
}

char *memory_string(const char *text)
{
    size_t size = strlen(text) + 1;
    return memcpy(memory_zeroed(size, 1), text, size);
}

void memory_free(void *memory)
{
    if (memory_is_in_store(memory)) {
        store_free(memory);
    } else {
        free(memory);
    }
}
