/*
 * Allocators inside of other objects, whose functions can be seen: a jemalloc
 * that was built with a prefix, mimalloc or tcmalloc beside the allocator that
 * serves malloc.  In the host, in every call; objects are looked at when the
 * program starts and when code of theirs first maps memory or allocates, which
 * is what the constructors of these allocators do (where there is none, the block that it maps the
 * first memory for is missed).
 *
 * Their callers are most often in the object itself.  Those that its linker has bound to each other
 * are not seen; then none of them is, and reports say that the object has an allocator of its own.
 */
#include <string.h>

#include "elfsym.h"
#include "hooks.h"
#include "loaded.h"
#include "named.h"
#include "rebind.h"

#define JEMALLOC(prefix)                                                                           \
    FAMILY(prefix)                                                                                 \
    GIVES(prefix##_aligned_alloc, (size_t alignment, size_t size), (alignment, size), size)        \
    GIVES(prefix##_mallocx, (size_t size, int flags), (size, flags), size)                         \
    MOVES(prefix##_rallocx, (void *old, size_t size, int flags), (old, size, flags), size)         \
    TAKES(prefix##_dallocx, (void *block, int flags), (block, flags))                              \
    TAKES(prefix##_sdallocx, (void *block, size_t size, int flags), (block, size, flags))          \
    TAKES(prefix##_free_sized, (void *block, size_t size), (block, size))                          \
    TAKES(prefix##_free_aligned_sized, (void *block, size_t alignment, size_t size),               \
        (block, alignment, size))                                                                  \
    static size_t (*next_##prefix##_xallocx)(void *, size_t, size_t, int);                         \
    static size_t hook_##prefix##_xallocx(void *block, size_t size, size_t extra, int flags)       \
    {                                                                                              \
        struct caller caller = NATIVE_CALLER;                                                      \
        struct nested outer;                                                                       \
        bool known = false;                                                                        \
        enum entry entry = doors_begin_move(&outer, block, &known, caller);                        \
        size_t now = next_##prefix##_xallocx(block, size, extra, flags);                           \
        doors_end_move(block, known, now >= size ? block : NULL, size, caller, entry, &outer);     \
        return now;                                                                                \
    }                                                                                              \
    static const struct rebind prefix##_doors[] = {                                                \
        DOORS(prefix),                                                                             \
        DOOR(prefix##_aligned_alloc),                                                              \
        DOOR(prefix##_mallocx),                                                                    \
        DOOR(prefix##_rallocx),                                                                    \
        DOOR(prefix##_xallocx),                                                                    \
        DOOR(prefix##_dallocx),                                                                    \
        DOOR(prefix##_sdallocx),                                                                   \
        DOOR(prefix##_free_sized),                                                                 \
        DOOR(prefix##_free_aligned_sized),                                                         \
    };

/* As it is built by most, by the crates of Rust, by DuckDB and by Arrow. */
JEMALLOC(je)
JEMALLOC(_rjem)
JEMALLOC(_rjem_je)
JEMALLOC(duckdb_je)
JEMALLOC(je_arrow)

/* Each serves one object at a time. */
static struct family {
    const char *name;           /* of the function that says that it is there */
    const struct rebind *doors; /* NULL: those of hooks_named.c and hooks_new.c */
    size_t count;
    _Atomic uintptr_t owner; /* that function, of the object that it serves */
} families[] = {
#define JEMALLOC_FAMILY(prefix)                                                                    \
    {                                                                                              \
#prefix "_malloc", prefix##_doors, sizeof(prefix##_doors) / sizeof(prefix##_doors[0]), 0   \
    }
    JEMALLOC_FAMILY(je),
    JEMALLOC_FAMILY(_rjem),
    JEMALLOC_FAMILY(_rjem_je),
    JEMALLOC_FAMILY(duckdb_je),
    JEMALLOC_FAMILY(je_arrow),
    {"mi_malloc", NULL, 0, 0},
    {"tc_malloc", NULL, 0, 0},
};

static bool is_loaded(uintptr_t address)
{
    struct loaded object;
    return address && loaded_find(address, &object);
}

static void bind(const struct family *family, const void *function, bool itself)
{
    if (family->doors) {
        rebind(family->doors, family->count, function, itself);
    } else {
        hooks_named_resolve(function, itself);
        hooks_new_resolve(function, itself);
    }
}

/* What has a malloc as well is an allocator alone, and none of its own calls is the program's. */
static void serve(struct family *family, const void *function, const void *allocator)
{
    uintptr_t owner = atomic_load(&family->owner);
    if (is_loaded(owner) ||
        !atomic_compare_exchange_strong(&family->owner, &owner, (uintptr_t)function)) {
        return;
    }
    if (!nested_is_real(allocator)) { /* that one is served already */
        doors_own(function);
        bind(family, function, !allocator);
    }
}

void hooks_prefixed_note(const struct loaded *object)
{
    for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
        const void *function = elfsym_of(object, families[i].name);
        if (function) {
            serve(&families[i], function, elfsym_of(object, "malloc"));
        }
    }
}

static int note_one(struct dl_phdr_info *info, size_t size, void *data)
{
    struct loaded object = {
        .base = info->dlpi_addr, .segments = info->dlpi_phdr, .n_segments = info->dlpi_phnum};
    hooks_prefixed_note(&object);
    return 0;
}

void hooks_prefixed_resolve(void)
{
    dl_iterate_phdr(note_one, NULL);
}
