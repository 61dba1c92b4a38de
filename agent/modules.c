/*
 * Objects that native code is in (modules.h).  In the host, inside malloc.
 */
#include "modules.h"

#include <string.h>

#include "hooks.h"
#include "loaded.h"
#include "python.h"
#include "ring.h"
#include "sys.h"

#define MODULES_START 64u
#define MODULES_MAX 8192u
#define PAGE ((uintptr_t)4096)
#define DIRECTORY_MAX 1024u

static uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t size)
{
    for (const uint8_t *next = bytes; size; size--) {
        hash = (hash ^ *next++) * 0x100000001b3ull;
    }
    return hash;
}

static uint64_t identity_of(const struct loaded *object)
{
    size_t size;
    const uint8_t *id = loaded_build_id(object, &size);
    uint64_t hash = 0xcbf29ce484222325ull;
    hash = hash_bytes(hash, object->name, strlen(object->name));
    hash = hash_bytes(hash, id, size);
    hash = hash_bytes(hash, &object->start, sizeof(object->start));
    hash = hash_bytes(hash, &object->end, sizeof(object->end));
    return hash_bytes(hash, &object->base, sizeof(object->base));
}

static const char *last_part(const char *path)
{
    const char *last = path;
    for (; *path; path++) {
        last = *path == '/' ? path + 1 : last;
    }
    return last;
}

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static enum module_kind kind_of(const char *path)
{
    const char *name = last_part(path);
    if (begins(name, "libstdc++.so") || begins(name, "libc++.so") || begins(name, "libc++abi.so")) {
        return MODULE_CXX_RUNTIME;
    }
    bool is_system = begins(name, "libc.so") || begins(name, "libc-") ||
                     begins(name, "libpthread") || begins(name, "ld-");
    return is_system ? MODULE_SYSTEM : MODULE_OTHER;
}

/* A relative path is one from the directory of the time of loading, most likely this one. */
static size_t put_path(struct thread *thread, const char *name)
{
    char directory[DIRECTORY_MAX];
    size_t size = strlen(name);
    long used = 0;
    if (name[0] != '/' && last_part(name) != name) {
        used = sys_current_directory(directory, sizeof(directory));
        if (used > 1) {
            directory[used - 1] = '/';
        }
        used = used > 1 ? used : 0;
    }
    ring_text(thread, directory, (size_t)used);
    ring_text(thread, name, size);
    return (size_t)used + size;
}

static void announce(struct thread *thread, const struct loaded *object, uint32_t number)
{
    size_t id_size;
    const uint8_t *id = loaded_build_id(object, &id_size);
    size_t path_size = put_path(thread, object->name);
    uint64_t words[3] = {object->base, object->start, path_size};
    ring_text(thread, id, id_size);
    ring_meta(thread, MT_META_MODULE, number, (uint32_t)id_size, words, 3);
}

/* Index of the first module that ends above the address. */
static uint32_t first_above(const struct native *native, uintptr_t address)
{
    uint32_t low = 0, high = native->n_modules;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (native->modules[middle].end <= address) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool make_room(struct native *native)
{
    size_t size = native->modules_capacity * sizeof(*native->modules);
    if (native->n_modules < native->modules_capacity) {
        return true;
    }
    struct native_module *grown = size ? sys_grow_private(native->modules, size, 2 * size)
                                       : sys_map_private(MODULES_START * sizeof(*native->modules));
    if (!grown) {
        return false;
    }
    native->modules = grown;
    native->modules_capacity = size ? 2 * native->modules_capacity : MODULES_START;
    return true;
}

/* In place of all that it overlaps. */
static const struct native_module *insert(struct native *native, const struct native_module *module)
{
    uint32_t at = first_above(native, module->start), after = at;
    if (!make_room(native)) {
        return NULL;
    }
    while (after < native->n_modules && native->modules[after].start < module->end) {
        after++;
    }
    memmove(&native->modules[at + 1], &native->modules[after],
        (native->n_modules - after) * sizeof(*module));
    native->n_modules += 1 - (after - at);
    native->modules[at] = *module;
    return &native->modules[at];
}

static const struct native_module *add(
    struct thread *thread, uintptr_t address, const struct loaded *object)
{
    struct native *native = &thread->native;
    uintptr_t page = address & ~(PAGE - 1);
    struct native_module module = {.start = page, .end = page + PAGE, .kind = MODULE_NONE};
    if (object) {
        module = (struct native_module){.start = object->start,
            .end = object->end,
            .identity = identity_of(object),
            .number = ++native->last_number,
            .kind = (uint8_t)kind_of(object->name)};
        announce(thread, object, module.number);
        python_note_object(object);
        if (module.kind == MODULE_OTHER) {
            hooks_prefixed_note(object);
        }
    }
    return insert(native, &module);
}

const struct native_module *modules_find(struct thread *thread, uintptr_t address)
{
    struct native *native = &thread->native;
    struct loaded object;
    uint32_t at = first_above(native, address);
    struct native_module *known = at < native->n_modules && native->modules[at].start <= address
                                      ? &native->modules[at]
                                      : NULL;
    if (known && !known->is_unsure) {
        return known;
    }
    bool found = loaded_find(address, &object);
    if (known && known->number && found && known->identity == identity_of(&object)) {
        known->is_unsure = false;
        return known;
    }
    return add(thread, address, found ? &object : NULL);
}

void modules_distrust(struct native *native)
{
    for (uint32_t i = 0; i < native->n_modules; i++) {
        native->modules[i].is_unsure = true;
    }
}

bool modules_are_many(const struct native *native, uint32_t more)
{
    return native->n_modules + more >= MODULES_MAX || native->last_number + more >= MT_MODULE_LIMIT;
}

void modules_discard(struct native *native)
{
    if (native->modules) {
        sys_unmap(native->modules, native->modules_capacity * sizeof(struct native_module));
    }
}
