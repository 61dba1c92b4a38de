/*
 * Sorting cells (cellsort.h): a radix sort by the bytes in which they differ, for a comparison
 * would miss the cache twice each time.  In the collector.
 */
#include "collect/cellsort.h"

#include "collect/memory.h"

struct item {
    uint64_t key; /* site << 32 | birth */
    uint32_t number;
};

#define BYTES sizeof(uint64_t)

static uint8_t byte_of(const struct item *item, size_t byte)
{
    return (uint8_t)(item->key >> 8 * byte);
}

/* Stable, by one byte. */
static void sort_by(const struct item *from, struct item *to, size_t count, size_t byte)
{
    size_t at[256] = {0}, sum = 0;
    for (size_t i = 0; i < count; i++) {
        at[byte_of(&from[i], byte)]++;
    }
    for (size_t value = 0; value < 256; value++) {
        size_t n = at[value];
        at[value] = sum;
        sum += n;
    }
    for (size_t i = 0; i < count; i++) {
        to[at[byte_of(&from[i], byte)]++] = from[i];
    }
}

/* The bits in which any two of them differ; 0 if they are in order already. */
static uint64_t fill(
    struct item *items, const uint32_t *numbers, size_t count, const struct cell *cells)
{
    uint64_t differ = 0;
    bool is_sorted = true;
    for (size_t i = 0; i < count; i++) {
        const struct cell *cell = &cells[numbers[i]];
        items[i] = (struct item){(uint64_t)cell->site_id << 32 | cell->birth, numbers[i]};
        differ |= items[i].key ^ items[0].key;
        is_sorted &= !i || items[i - 1].key <= items[i].key;
    }
    return is_sorted ? 0 : differ;
}

void cellsort(uint32_t *numbers, size_t count, const struct cell *cells)
{
    struct item *items = memory_zeroed(count, 2 * sizeof(*items)), *other = items + count;
    struct item *sorted = items;
    uint64_t differ = fill(items, numbers, count, cells);
    for (size_t byte = 0; byte < BYTES; byte++) {
        if (differ >> 8 * byte & 0xff) {
            sort_by(sorted, other, count, byte);
            struct item *next = other;
            other = sorted;
            sorted = next;
        }
    }
    for (size_t i = 0; i < count; i++) {
        numbers[i] = sorted[i].number;
    }
    memory_free(items);
}
