/*
 * Codes, nodes and sites of a ring (ringdefs.h).  In the collector, for what is new.
 */
#include "collect/ringdefs.h"

#include <string.h>

#include "collect/memory.h"
#include "collect/natives.h"
#include "collect/text.h"

void ringdefs_reset(struct ring *ring)
{
    for (size_t i = 0; i < ring->codes_capacity; i++) {
        pylines_free(&ring->codes[i].lines);
    }
    if (ring->codes) {
        memset(ring->codes, 0, ring->codes_capacity * sizeof(*ring->codes));
    }
    if (ring->sites) {
        memset(ring->sites, 0, ring->sites_capacity * sizeof(*ring->sites));
    }
    if (ring->modules) {
        memset(ring->modules, 0, ring->modules_capacity * sizeof(*ring->modules));
    }
}

void ringdefs_code(struct ring *ring, struct definitions *definitions, uint32_t code)
{
    uint64_t w0 = ring_word(ring, 1), w1 = ring_word(ring, 2);
    uint64_t file = (uint32_t)w1, name = w1 >> 32, table = ring_word(ring, 3);
    ring->codes = memory_grow(ring->codes, &ring->codes_capacity, code + 1, sizeof(*ring->codes));
    struct ring_code *entry = &ring->codes[code];
    pylines_free(&entry->lines);
    if (table <= ring->text.size && file + name + table == ring->text.size) {
        const uint8_t *text = ring->text.size ? ring->text.data : (const uint8_t *)"";
        struct function_record function = {
            text_define(definitions, text, (uint32_t)file, w0 >> 40 & 0xff),
            text_define(definitions, text + file, (uint32_t)name, w0 >> 48 & 0xff),
            (uint32_t)w0 & INT32_MAX,
        };
        entry->function = definitions_function(definitions, &function);
        pylines_decode(&entry->lines, (enum mt_lines)(w0 >> 32 & 0xff), text + file + name, table,
            (int)(uint32_t)w0);
    }
    ring->text.size = 0;
}

static void define_python_node(struct ring *ring, struct definitions *definitions, uint32_t id,
    struct node_record *node, uint64_t word)
{
    uint32_t code = (uint32_t)word;
    if (code < ring->codes_capacity) {
        int line = pylines_line(&ring->codes[code].lines, (int32_t)(word >> 32));
        node->function = ring->codes[code].function;
        node->line = line > 0 ? (uint32_t)line : 0;
    }
    ring->nodes[id] = definitions_node(definitions, node);
}

void ringdefs_node(struct ring *ring, struct definitions *definitions)
{
    uint64_t w0 = ring_word(ring, 0), w1 = ring_word(ring, 1);
    uint32_t id = w0 >> 4 & 0xfffff, parent = w0 >> 24 & 0xfffff, code = (uint32_t)w1;
    struct node_record node = {0};
    ring->nodes = memory_grow(ring->nodes, &ring->nodes_capacity, id + 1, sizeof(*ring->nodes));
    ring->sites =
        memory_grow(ring->sites, &ring->sites_capacity, 4 * (id + 1), sizeof(*ring->sites));
    if (parent < ring->nodes_capacity) {
        node.parent = ring->nodes[parent];
    }
    ring->natives =
        memory_grow(ring->natives, &ring->natives_capacity, id + 1, sizeof(*ring->natives));
    uint32_t below = parent < ring->natives_capacity && parent != id ? ring->natives[parent] : 0;
    ring->natives[id] = 0;
    if (code & MT_NATIVE) {
        ring->nodes[id] = node.parent;
        ring->natives[id] = natives_define(ring, definitions, below, w1);
    } else {
        ring->natives[id] = below ? natives_define_anchor(definitions, below, node.parent) : 0;
        define_python_node(ring, definitions, id, &node, w1);
    }
    memset(&ring->sites[4 * id], 0, 4 * sizeof(*ring->sites));
}

uint32_t ringdefs_site(
    struct ring *ring, struct definitions *definitions, uint32_t node, uint32_t domain)
{
    struct site_record site = {.process = ring->image->process,
        .thread = ring->thread,
        .domain = domain,
        .node = ring->own                     ? ring->own
                : node < ring->nodes_capacity ? ring->nodes[node]
                                              : 0,
        .native = node < ring->natives_capacity && !ring->own ? ring->natives[node] : 0};
    return definitions_site(definitions, &site);
}

void ringdefs_free(struct ring *ring)
{
    ringdefs_reset(ring);
    memory_free(ring->nodes);
    memory_free(ring->natives);
    memory_free(ring->modules);
    memory_free(ring->sites);
    memory_free(ring->codes);
}
