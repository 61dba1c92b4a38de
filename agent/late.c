/*
 * Interpreters that come late (late.h).  In the host, inside malloc, perhaps
 * while a library's constructor runs below dlopen.
 *
 * Nothing stands in front of dlopen.  The loader allocates while it loads; when a
 * thread allocates elsewhere after that, what it has loaded is complete, and is looked
 * at.  What is found may also be what another thread is just loading: the last thing
 * that the loader relocates in it tells, and if it is not complete the other thread
 * will look.
 *
 * A program may unload what it loaded.  Until the interpreter starts its allocators
 * have our hooks, no more: nothing in it is read, and the loader's frees, which come
 * before it can load another in its place, say that it may have gone.  When the
 * interpreter imports its first module it gets one more reference that is never
 * given back (late_pin).
 */
#include "late.h"

#include <dlfcn.h>
#include <string.h>

#include "cstack.h"
#include "elfsym.h"
#include "loaded.h"
#include "module.h"
#include "peek.h"
#include "python.h"
#include "session.h"
#include "sys.h"

_Atomic int late;

static const void *found; /* PyMem_SetAllocator: in the object that was found */

void late_start(void)
{
    if (!python.present) {
        atomic_store(&late, LATE_LOOKING);
    }
}

static uintptr_t relocated(uintptr_t base, uintptr_t value)
{
    return value < base ? value + base : value;
}

struct table {
    uintptr_t address;
    size_t size;
};

/* Its relocations of functions, which come last; or of data, where it has no others. */
static struct table last_relocations(const struct loaded *object)
{
    const ElfW(Dyn) *entry = NULL;
    struct table data = {0, 0}, functions = {0, 0};
    for (unsigned i = 0; i < object->n_segments; i++) {
        if (object->segments[i].p_type == PT_DYNAMIC) {
            entry = (const ElfW(Dyn) *)(object->base + object->segments[i].p_vaddr);
        }
    }
    for (; entry && entry->d_tag != DT_NULL; entry++) {
        uintptr_t value = entry->d_un.d_val;
        switch (entry->d_tag) {
        case DT_RELA:
            data.address = relocated(object->base, value);
            break;
        case DT_RELASZ:
            data.size = value;
            break;
        case DT_JMPREL:
            functions.address = relocated(object->base, value);
            break;
        case DT_PLTRELSZ:
            functions.size = value;
            break;
        }
    }
    return functions.size ? functions : data;
}

/* True if the last of them has been done: before, there is an offset in its file. */
static bool is_relocated(const void *address)
{
    struct loaded object;
    if (!loaded_find((uintptr_t)address, &object)) {
        return false;
    }
    struct table table = last_relocations(&object);
    const ElfW(Rela) *relocations = (const ElfW(Rela) *)table.address;
    size_t n = table.size / sizeof(*relocations);
    return n && relocations && peek64(object.base + relocations[n - 1].r_offset) >= object.end - object.start;
}

static void adopt(void)
{
    int looking = LATE_LOOKING;
    if (!atomic_compare_exchange_strong(&late, &looking, LATE_NONE)) {
        return;
    }
    python_find();
    cstack_setup();
    if (!python.known) {
        python_announce_late();
        python_complain();
        return;
    }
    module_offer();
    atomic_store(&late, LATE_FOUND);
}

void late_allocated_by(bool loader)
{
    if (thread_self.depth != 0) {
        return; /* a signal handler's */
    }
    thread_self.loads = loader;
    if (loader || !session.wanted) {
        return;
    }
    thread_self.depth++;
    const void *set_allocator = elfsym_find("PyMem_SetAllocator");
    if (set_allocator && is_relocated(set_allocator)) {
        found = set_allocator;
        adopt();
    }
    thread_self.depth--;
}

void late_freed_by_loader(void)
{
    int known = LATE_FOUND;
    if (elfsym_find("PyMem_SetAllocator") != found &&
        atomic_compare_exchange_strong(&late, &known, LATE_NONE)) {
        python_forget();
        atomic_store(&late, LATE_LOOKING);
    }
}

void late_pin(void)
{
    struct loaded object;
    void *(*open)(const char *, int) = (void *(*)(const char *, int))elfsym_find("dlopen");
    if (atomic_load(&late) == LATE_FOUND && open && loaded_find((uintptr_t)found, &object) &&
        open(object.name, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE)) {
        atomic_store(&late, LATE_PINNED);
        python_may_read(true);
        python_announce_late();
    }
}
