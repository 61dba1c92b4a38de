/*
 * Native callers (native.h).  In the host, inside malloc.
 *
 * An address means something only together with the object that it lies in.  The
 * objects that callers are in are announced in the ring, once for each thread,
 * and a node's key names its object.  When the loader may have unloaded one,
 * nothing that was remembered counts before it has been looked at again.
 *
 * Callers in the C++ runtime (operator new, std::string) stand for their own
 * callers: frames are stepped out of while they are in it.  It keeps no frame
 * pointers; where a step is not plainly told, the runtime itself is the caller.
 */
#include "native.h"

#include <string.h>

#include "cfi.h"
#include "elfsym.h"
#include "intern.h"
#include "loaded.h"
#include "ring.h"
#include "sys.h"

#define STEPS_MAX 12
#define MODULES_START 64u
#define MODULES_MAX 8192u
#define PAGE ((uintptr_t)4096)
#define DIRECTORY_MAX 1024u

enum kind { KIND_OTHER, KIND_NONE, KIND_CXX_RUNTIME, KIND_SYSTEM };

struct native_module {
    uintptr_t start, end;
    uint64_t identity; /* of name, build id and place */
    uint32_t number;   /* 0: code that is in no object, a page of it */
    uint8_t kind;
    bool is_unsure; /* something was unloaded since */
};

_Atomic uint32_t native_unloads = 1;
struct native_loader native_loader;

void native_setup(void)
{
    uintptr_t end = 0;
    const void *of_loader = elfsym_find("__tls_get_addr");
    loaded_setup();
    if (of_loader && elfsym_text(of_loader, &native_loader.start, &end)) {
        native_loader.size = end - native_loader.start;
    }
}

void native_discard(struct thread *thread)
{
    if (thread->native.modules) {
        sys_unmap(
            thread->native.modules, thread->native.modules_capacity * sizeof(struct native_module));
    }
}

/* ---- objects ---- */

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

static enum kind kind_of(const char *path)
{
    const char *name = last_part(path);
    if (begins(name, "libstdc++.so") || begins(name, "libc++.so") || begins(name, "libc++abi.so")) {
        return KIND_CXX_RUNTIME;
    }
    bool is_system = begins(name, "libc.so") || begins(name, "libc-") ||
                     begins(name, "libpthread") || begins(name, "ld-");
    return is_system ? KIND_SYSTEM : KIND_OTHER;
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
    struct native_module module = {.start = page, .end = page + PAGE, .kind = KIND_NONE};
    if (object) {
        module = (struct native_module){.start = object->start,
            .end = object->end,
            .identity = identity_of(object),
            .number = ++native->last_number,
            .kind = (uint8_t)kind_of(object->name)};
        announce(thread, object, module.number);
    }
    return insert(native, &module);
}

/* The module that holds the address; NULL where there is no room to remember it. */
static const struct native_module *module_of(struct thread *thread, uintptr_t address)
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

/* Everything has to be looked at again. */
static void distrust(struct native *native)
{
    native->unloads = atomic_load(&native_unloads);
    memset(native->sites, 0, sizeof(native->sites));
    memset(native->frames, 0, sizeof(native->frames));
    for (uint32_t i = 0; i < native->n_modules; i++) {
        native->modules[i].is_unsure = true;
    }
}

static bool is_full(struct thread *thread)
{
    const struct native *native = &thread->native;
    return intern_is_full(thread, 1) || native->n_modules >= MODULES_MAX ||
           native->last_number + STEPS_MAX >= MT_MODULE_LIMIT;
}

/* ---- the C++ runtime ---- */

/* Size of the frame that is returned to, if it is one to step out of; else 0. */
static uint32_t step_of(struct thread *thread, uintptr_t address)
{
    struct native_frame *frame = &thread->native.frames[address / 2 % NATIVE_FRAMES];
    if (frame->address != address) {
        struct loaded object;
        const struct native_module *module = module_of(thread, address);
        bool is_runtime = module && module->kind == KIND_CXX_RUNTIME;
        frame->address = address;
        frame->size =
            is_runtime && loaded_find(address, &object) ? cfi_frame_size(&object, address) : 0;
    }
    return frame->size;
}

/* The first caller outside of the runtime; where there is none to name, the runtime's. */
static uintptr_t real_caller(struct thread *thread, struct caller caller)
{
    struct caller at = caller;
    uint32_t size = step_of(thread, at.address);
    if (!size) {
        return caller.address;
    }
    for (int steps = 0; size && steps < STEPS_MAX; steps++) {
        at.stack += size;
        at.address = *(const uintptr_t *)(at.stack - sizeof(uintptr_t));
        size = step_of(thread, at.address);
    }
    const struct native_module *module = module_of(thread, at.address);
    return module && module->kind == KIND_OTHER ? at.address : caller.address;
}

/* ---- nodes ---- */

static uint32_t make_node(struct thread *thread, uint32_t parent, uintptr_t address)
{
    const struct native_module *module = module_of(thread, address);
    if (!module) {
        return parent;
    }
    return intern_node(thread, parent,
        MT_NATIVE | module->number << 16 | (uint32_t)(address >> 32 & 0xffff), (uint32_t)address);
}

__attribute__((noinline)) uint32_t native_find(
    struct thread *thread, uint32_t parent, struct caller caller)
{
    struct native *native = &thread->native;
    if (native->unloads != atomic_load_explicit(&native_unloads, memory_order_acquire)) {
        distrust(native);
    }
    if (is_full(thread)) {
        return NATIVE_FULL;
    }
    uintptr_t address = real_caller(thread, caller);
    struct native_site *site = native_slot(thread, parent, address);
    if (site->address == address && site->parent == parent) {
        return site->node;
    }
    uint32_t node = make_node(thread, parent, address);
    /* What may stand for another address the next time is no answer to remember. */
    if (!step_of(thread, address)) {
        *site = (struct native_site){address, parent, node};
    }
    return node;
}
