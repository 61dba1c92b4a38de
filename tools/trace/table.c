/*
 * Open addressing with linear probing; a value of 0 marks an empty slot.
 */
#include "trace/table.h"

#include <stdlib.h>
#include <string.h>

#include "trace/huge.h"

enum { AT_FIRST = 256 };

struct table_slot {
    uint64_t key;
    uint32_t value;
};

static struct table_slot *find(struct table_slot *slots, size_t capacity, uint64_t key)
{
    uint64_t hash = (key ^ (key >> 32)) * 0x9e3779b97f4a7c15ull;
    size_t i = (size_t)(hash >> 32) & (capacity - 1);
    while (slots[i].value && slots[i].key != key)
        i = (i + 1) & (capacity - 1);
    return &slots[i];
}

/* Keys fall anywhere: with small pages each look is a miss of the address cache too. */
static struct table_slot *make_slots(size_t capacity)
{
    struct table_slot *slots = huge_calloc(capacity, sizeof *slots);
    if (!slots)
        abort();
    return slots;
}

void table_reserve(struct table *table, size_t count)
{
    size_t capacity = AT_FIRST;
    while (capacity / 2 < count)
        capacity *= 2;
    table->slots = make_slots(capacity);
    table->capacity = capacity;
}

static void grow(struct table *table)
{
    size_t capacity = table->capacity ? table->capacity * 2 : AT_FIRST;
    struct table_slot *slots = make_slots(capacity);
    for (size_t i = 0; i < table->capacity; i++)
        if (table->slots[i].value)
            *find(slots, capacity, table->slots[i].key) = table->slots[i];
    free(table->slots);
    table->slots = slots;
    table->capacity = capacity;
}

uint32_t *table_at(struct table *table, uint64_t key)
{
    if (table->used * 2 >= table->capacity)
        grow(table);
    struct table_slot *slot = find(table->slots, table->capacity, key);
    if (!slot->value) {
        slot->key = key;
        table->used++;
    }
    return &slot->value;
}

uint32_t table_get(const struct table *table, uint64_t key)
{
    return table->capacity ? find(table->slots, table->capacity, key)->value : 0;
}

void table_free(struct table *table)
{
    free(table->slots);
    memset(table, 0, sizeof *table);
}
