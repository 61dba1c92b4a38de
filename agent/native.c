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
#include "cstack.h"
#include "elfsym.h"
#include "intern.h"
#include "loaded.h"
#include "modules.h"

#define STEPS_MAX 12
#define FRAME_MAX 65536

_Atomic uint32_t native_unloads = 1;
struct native_loader native_loader;
bool native_whole;

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
    modules_discard(&thread->native);
    cstack_discard(thread);
}

/* Everything has to be looked at again. */
static void distrust(struct thread *thread)
{
    struct native *native = &thread->native;
    native->unloads = atomic_load(&native_unloads);
    memset(native->sites, 0, sizeof(native->sites));
    memset(native->frames, 0, sizeof(native->frames));
    modules_distrust(native);
    cstack_distrust(thread);
}

static bool is_full(struct thread *thread)
{
    return intern_is_full(thread, 1) || modules_are_many(&thread->native, STEPS_MAX);
}

/* ---- the C++ runtime ---- */

/* Size of the frame that is returned to, if it is one to step out of; else 0. */
static uint32_t step_of(struct thread *thread, uintptr_t address)
{
    struct native_frame *frame = &thread->native.frames[address / 2 % NATIVE_FRAMES];
    if (frame->address != address) {
        struct loaded object;
        const struct native_module *module = modules_find(thread, address);
        bool is_runtime = module && module->kind == MODULE_CXX_RUNTIME;
        struct cfi cfi = {.kind = CFI_NONE};
        if (is_runtime && loaded_find(address, &object)) {
            cfi_find(&object, address - 1, &cfi); /* in the call itself */
        }
        frame->address = address;
        frame->size = cfi.kind == CFI_SP && cfi.offset >= 8 && cfi.offset <= FRAME_MAX
                          ? (uint32_t)cfi.offset
                          : 0;
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
    const struct native_module *module = modules_find(thread, at.address);
    return module && module->kind == MODULE_OTHER ? at.address : caller.address;
}

/* ---- nodes ---- */

uint32_t native_node_in(struct thread *thread, uint32_t parent, uint32_t module, uintptr_t address)
{
    return intern_node(thread, parent,
        MT_NATIVE | module << 16 | (uint32_t)(address >> 32 & 0xffff), (uint32_t)address);
}

uint32_t native_make_node(struct thread *thread, uint32_t parent, uintptr_t address)
{
    const struct native_module *module = modules_find(thread, address);
    return module ? native_node_in(thread, parent, module->number, address) : parent;
}

__attribute__((noinline)) uint32_t native_find(
    struct thread *thread, uint32_t parent, struct caller caller)
{
    struct native *native = &thread->native;
    if (native->unloads != atomic_load_explicit(&native_unloads, memory_order_acquire)) {
        distrust(thread);
    }
    if (native_whole) {
        return cstack_node(thread, parent, caller);
    }
    if (is_full(thread)) {
        return NATIVE_FULL;
    }
    uintptr_t address = real_caller(thread, caller);
    struct native_site *site = native_slot(thread, parent, address);
    if (site->address == address && site->parent == parent) {
        return site->node;
    }
    uint32_t node = native_make_node(thread, parent, address);
    /* What may stand for another address the next time is no answer to remember. */
    if (!step_of(thread, address)) {
        *site = (struct native_site){address, parent, node};
    }
    return node;
}
