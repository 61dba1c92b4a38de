/*
 * Native callers (natives.h).  In the collector, once for each new one.  What a
 * ring says is not believed before it has been checked.
 */
#include "collect/natives.h"

#include <string.h>

#include "collect/memory.h"

#define ID_MAX 64u /* bytes of a build id; known ones have 20 or fewer */

static uint32_t define_id(struct definitions *definitions, const uint8_t *id, uint32_t size)
{
    static const char digits[] = "0123456789abcdef";
    char text[2 * ID_MAX];
    size = size < ID_MAX ? size : ID_MAX;
    for (uint32_t i = 0; i < size; i++) {
        text[2 * i] = digits[id[i] >> 4];
        text[2 * i + 1] = digits[id[i] & 15];
    }
    return definitions_string(definitions, text, 2 * size);
}

void natives_define_module(struct ring *ring, struct definitions *definitions, uint32_t number,
    uint64_t base, uint64_t path_size, uint32_t id_size)
{
    struct module_record module = {0};
    const uint8_t *text = ring->text.data;
    bool fits = number && number < MT_MODULE_LIMIT && path_size <= ring->text.size &&
                path_size + id_size == ring->text.size;
    if (fits) {
        uint32_t process = ring->image->process;
        module.path = path_size ? definitions_string(definitions, text, (uint32_t)path_size)
                      : process ? definitions->processes[process].path
                                : 0;
        module.build_id = id_size ? define_id(definitions, text + path_size, id_size) : 0;
        ring->modules =
            memory_grow(ring->modules, &ring->modules_capacity, number + 1, sizeof(*ring->modules));
        ring->modules[number] =
            (struct ring_module){definitions_module(definitions, &module), base};
    }
    ring->text.size = 0;
}

uint32_t natives_define(
    struct ring *ring, struct definitions *definitions, uint32_t parent, uint64_t word)
{
    uint32_t number = word >> 16 & (MT_MODULE_LIMIT - 1);
    struct native_record native = {.parent = parent, .address = (word & 0xffff) << 32 | word >> 32};
    if (number < ring->modules_capacity && ring->modules[number].module) {
        native.module = ring->modules[number].module;
        native.address -= ring->modules[number].base;
    } else if (native.address) {
        native.process = ring->image->process;
    }
    return definitions_native(definitions, &native);
}

uint32_t natives_define_anchor(struct definitions *definitions, uint32_t native, uint32_t node)
{
    struct native_record anchor = {.parent = native, .anchor = node + 1};
    return definitions->natives[native].anchor ? native : definitions_native(definitions, &anchor);
}
