/*
 * The live map (heapmap.h, heapmap_probe.h).  In the collector.
 */
#include "collect/heapmap.h"

#include <stdlib.h>
#include <string.h>

#include "collect/heapmap_probe.h"
#include "collect/memory.h"

#define START 64u        /* units */
#define MANY 4096u       /* units */
#define WHOLE 8u         /* tables of up to so many slots may be full */
#define ROOMY 1024u      /* units: as long as there are no more, their tables may be */
#define SPARE 64u        /* slots larger than they need be */
#define ROW_LARGEST 512u /* bytes of a block in a row: as pymalloc has them */
#define LONG_RUN 24u     /* slots looked at for a block: the unit is scattered */
#define EMPTY_SHARE 8u   /* where every eighth unit has no block its table is used again */
#define EMPTY_LEAST 64u

/* ---- units ---- */

struct heapmap_unit *heapmap_seek_unit(const struct heapmap *map, uint64_t where)
{
    uint64_t at = heapmap_unit_first(map->capacity, where);
    while (map->units[at].word && !heapmap_is_unit(&map->units[at], where)) {
        at = at + 1 < map->capacity ? at + 1 : 0;
    }
    return &map->units[at];
}

static void set_room(struct heapmap_unit *unit, uint32_t room)
{
    uint64_t others = unit->word & ~(HEAPMAP_COUNT << HEAPMAP_ROOM_SHIFT);
    unit->word = others | (uint64_t)room << HEAPMAP_ROOM_SHIFT;
}

static void give_table(struct heapmap *map, const struct heapmap_unit *unit)
{
    if (unit->table) {
        slots_give(&map->slots, heapmap_table(unit));
    }
}

/* Where there are many their room counts, for the limit that the program is under. */
static uint64_t limit_of_units(uint64_t capacity)
{
    return capacity - capacity / (capacity < MANY ? 2 : 8);
}

/* Makes the units' table anew, without those that have no block.  The new one is whole before it
   takes the old one's place: a collector can be killed here. */
static void make_units_anew(struct heapmap *map)
{
    struct heapmap anew = *map;
    const struct heapmap_unit *old = map->units;
    anew.used = anew.empty = 0;
    for (uint64_t i = 0; i < map->capacity; i++) {
        anew.used += heapmap_blocks(&old[i]) != 0;
    }
    if (anew.used * 3 >= limit_of_units(map->capacity) * 2) {
        anew.capacity = map->capacity ? map->capacity + map->capacity / 2 : START;
    }
    anew.units = memory_zeroed(anew.capacity, sizeof(*anew.units));
    for (uint64_t i = 0; i < map->capacity; i++) {
        if (heapmap_blocks(&old[i])) {
            *heapmap_seek_unit(&anew, old[i].word >> HEAPMAP_WHERE_SHIFT) = old[i];
        }
    }
    uint64_t count = map->capacity;
    *map = anew;
    for (uint64_t i = 0; i < count; i++) {
        if (!heapmap_blocks(&old[i])) {
            give_table(map, &old[i]);
        }
    }
    memory_free((void *)old);
}

static struct heapmap_unit *make_unit(struct heapmap *map, uint64_t key)
{
    uint64_t where = heapmap_where(key);
    struct heapmap_unit *unit = map->capacity ? heapmap_find_unit(map, key) : NULL;
    if (unit && unit->word) {
        return unit;
    }
    if (!unit || map->used >= limit_of_units(map->capacity)) {
        make_units_anew(map);
        unit = heapmap_seek_unit(map, where);
    }
    map->used++;
    *unit = (struct heapmap_unit){.word = where << HEAPMAP_WHERE_SHIFT};
    return unit;
}

/* ---- slots ---- */

/* *steps: slots that were looked at. */
static struct heapmap_entry *seek(const struct heapmap_unit *unit, uint32_t tag, uint32_t *steps)
{
    struct heapmap_entry *table = heapmap_table(unit);
    uint32_t capacity = heapmap_capacity(unit), at = heapmap_place(unit, tag);
    for (*steps = 1; *steps <= capacity; ++*steps) {
        if (heapmap_is_of(&table[at], tag) || !table[at].tag) {
            return &table[at];
        }
        at = at + 1 < capacity ? at + 1 : 0;
    }
    return NULL;
}

struct heapmap_entry *heapmap_seek(const struct heapmap_unit *unit, uint32_t tag)
{
    uint32_t steps;
    bool is_elsewhere = heapmap_blocks(unit) && !heapmap_is_row(unit);
    return is_elsewhere ? seek(unit, tag, &steps) : NULL;
}

/* Slots of a table that blocks may have, or have had. */
static uint32_t limit_of(uint32_t capacity)
{
    return capacity <= WHOLE || capacity == SLOTS_MOST ? capacity : capacity - capacity / 16 * 3;
}

/* How much more room than its blocks need a table gets, where so many slots have run out that
   blocks had and do not have any more: others will come and go. */
static uint32_t spare(const struct heapmap *map, uint32_t blocks, uint32_t gone)
{
    uint32_t most = blocks / 3;
    if (map->used <= ROOMY && most < SPARE) {
        most = SPARE;
    }
    return gone < most ? gone : most;
}

/* For so many blocks, and room for at least one more. */
static uint32_t capacity_for(uint32_t blocks, uint32_t more)
{
    uint32_t need = blocks + 1 + blocks / 16 + more, capacity;
    if (need >= SLOTS_MOST) {
        return SLOTS_MOST;
    }
    capacity = slots_capacity(need);
    return limit_of(capacity) < need ? slots_capacity(capacity + 1) : capacity;
}

/* How far apart allocators lay blocks of that size, in what offsets count: pymalloc and others
   without a header, the C library with one. */
static uint32_t apart(const struct heapmap_entry *entry, bool has_header)
{
    uint32_t bytes = (entry->size + (has_header ? 8 : 0) + 15) & ~15u;
    return (bytes < 16u << has_header ? 16u << has_header : bytes) / 8;
}

static bool are_in_step(uint32_t a, uint32_t b, uint32_t step)
{
    return (a > b ? a - b : b - a) % step == 0;
}

/* The blocks that there are and one at that offset; at least half of those that there could be in
   between are.  *step: of all of them. */
static bool is_row(
    const struct heapmap_unit *unit, uint32_t offset, bool has_header, uint32_t *step)
{
    const struct heapmap_entry *table = heapmap_table(unit);
    uint32_t least = offset, most = offset;
    *step = 0;
    for (uint32_t i = 0; i < heapmap_capacity(unit); i++) {
        const struct heapmap_entry *entry = &table[i];
        if (!entry->cell) {
            continue;
        }
        uint32_t at = heapmap_offset(entry->tag);
        *step = *step ? *step : apart(entry, has_header);
        if (entry->size > ROW_LARGEST || apart(entry, has_header) != *step ||
            !are_in_step(at, offset, *step)) {
            return false;
        }
        least = at < least ? at : least;
        most = at > most ? at : most;
    }
    return (most - least) / *step <= 2 * heapmap_blocks(unit);
}

/* Where all blocks are of one size and as far apart as allocators lay them, which go on so until
   there is no room in between: a capacity that has a slot for each, in their order.  Or 0. */
static uint32_t capacity_for_row(const struct heapmap_unit *unit, uint32_t tag)
{
    uint32_t step, offset = heapmap_offset(tag);
    if (heapmap_blocks(unit) < WHOLE ||
        (!is_row(unit, offset, false, &step) && !is_row(unit, offset, true, &step))) {
        return 0;
    }
    uint32_t capacity = slots_capacity((HEAPMAP_OFFSETS + step - 1) / step);
    return capacity > heapmap_blocks(unit) ? capacity : 0;
}

/* Tables without blocks are used for others before more memory is. */
static void take_empty_tables(struct heapmap *map)
{
    for (uint64_t i = 0; i < map->capacity; i++) {
        struct heapmap_unit *unit = &map->units[i], old = *unit;
        if (!heapmap_blocks(unit)) {
            set_room(unit, 0);
            unit->table = 0;
            give_table(map, &old);
        }
    }
    map->empty = 0;
}

static struct heapmap_entry *new_table(struct heapmap *map, uint32_t capacity)
{
    if (slots_must_grow(&map->slots, capacity) && map->empty > EMPTY_LEAST &&
        map->empty > map->used / EMPTY_SHARE) {
        take_empty_tables(map);
    }
    return slots_take(&map->slots, capacity);
}

/* The longest run that a block was found in. */
static uint32_t copy_blocks(const struct heapmap_unit *from, const struct heapmap_unit *to)
{
    const struct heapmap_entry *table = heapmap_table(from);
    uint32_t longest = 0, steps;
    for (uint32_t i = 0; i < heapmap_capacity(from); i++) {
        if (table[i].cell) {
            *seek(to, table[i].tag & ~HEAPMAP_STAMP, &steps) = table[i];
            longest = steps > longest ? steps : longest;
        }
    }
    return longest;
}

/* Slots of its table that new blocks may take. */
static uint32_t room_of(const struct heapmap_unit *unit)
{
    uint32_t capacity = heapmap_capacity(unit);
    bool is_exact = heapmap_is_row(unit) || capacity == SLOTS_MOST;
    return (is_exact ? capacity : limit_of(capacity)) - heapmap_blocks(unit);
}

/* Slots that no block has any more. */
static uint32_t gone_from(const struct heapmap_unit *unit)
{
    struct heapmap_unit full = {.table = unit->table};
    uint32_t used = unit->table ? room_of(&full) - heapmap_room(unit) : 0;
    uint32_t blocks = heapmap_blocks(unit);
    return used > blocks ? used - blocks : 0;
}

/* Makes the table of a unit anew, with room for a block of that tag and some more.  It is whole
   before it takes the old one's place. */
static void make_anew(
    struct heapmap *map, struct heapmap_unit *unit, uint32_t tag, bool is_scattered)
{
    uint32_t blocks = heapmap_blocks(unit), row = capacity_for_row(unit, tag);
    uint32_t capacity = row ? row : capacity_for(blocks, spare(map, blocks, gone_from(unit)));
    uint64_t layout = row ? HEAPMAP_ROW : is_scattered ? HEAPMAP_SCATTERED : 0;
    struct heapmap_entry *table = new_table(map, capacity);
    struct heapmap_unit old = *unit, anew = old;
    anew.table = (uint64_t)capacity << 48 | (uintptr_t)table | layout;
    set_room(&anew, room_of(&anew));
    uint32_t longest = old.table ? copy_blocks(&old, &anew) : 0;
    map->empty += !old.table && !blocks;
    unit->table = anew.table;
    unit->word = anew.word;
    give_table(map, &old);
    if (longest > LONG_RUN && !layout) {
        make_anew(map, unit, tag, true);
    }
}

/* Nothing is left of what was there: allocators use such addresses for blocks of other sizes. */
static void clear_table(struct heapmap_unit *unit)
{
    set_room(unit, 0);
    memset(heapmap_table(unit), 0, heapmap_capacity(unit) * sizeof(struct heapmap_entry));
    set_room(unit, room_of(unit));
}

/* In a row a block has its own slot or none. */
static struct heapmap_entry *find_slot(
    const struct heapmap_unit *unit, uint32_t tag, uint32_t *steps)
{
    struct heapmap_entry *first = heapmap_first(unit, tag);
    *steps = 1;
    if (heapmap_is_row(unit)) {
        return heapmap_is_of(first, tag) || !first->tag ? first : NULL;
    }
    return seek(unit, tag, steps);
}

/* The slot for a block that is put there. */
static struct heapmap_entry *make_slot(struct heapmap *map, struct heapmap_unit *unit, uint32_t tag)
{
    bool is_scattered = unit->table & HEAPMAP_SCATTERED;
    uint32_t steps = 0;
    if (unit->table && !heapmap_blocks(unit) && !heapmap_is_of(heapmap_first(unit, tag), tag)) {
        clear_table(unit);
    }
    struct heapmap_entry *entry = unit->table ? find_slot(unit, tag, &steps) : NULL;
    if (entry && entry->tag) {
        return entry;
    }
    if (!entry || !heapmap_room(unit) || (steps > LONG_RUN && !is_scattered)) {
        make_anew(map, unit, tag, is_scattered || steps > LONG_RUN);
        entry = find_slot(unit, tag, &steps);
    }
    heapmap_take_room(unit);
    return entry;
}

static struct heapmap_entry *find(
    const struct heapmap *map, uint64_t address, struct heapmap_unit **unit)
{
    uint64_t key = heapmap_key(address);
    *unit = map->capacity ? heapmap_find_unit(map, key) : NULL;
    struct heapmap_entry *entry =
        *unit && (*unit)->table ? heapmap_find(*unit, heapmap_tag(key)) : NULL;
    return entry && entry->cell ? entry : NULL;
}

/* ---- large blocks ---- */

static inline bool is_listed(const struct heapmap_entry *entry)
{
    return entry->size >= HEAPMAP_LARGE;
}

static uint64_t size_of(const struct heapmap *map, const struct heapmap_entry *entry)
{
    return is_listed(entry) ? map->large[entry->size - HEAPMAP_LARGE].size : entry->size;
}

/* The last one of the list takes the place of the one that goes.  A collector that is killed in
   here leaves one that is listed twice or has gone, never a size that is wrong. */
static void unlist(struct heapmap *map, uint32_t size)
{
    uint32_t last = HEAPMAP_LARGE + (uint32_t)map->n_large - 1;
    struct heapmap_unit *unit;
    map->large[size - HEAPMAP_LARGE] = map->large[last - HEAPMAP_LARGE];
    struct heapmap_entry *moved = find(map, map->large[last - HEAPMAP_LARGE].address, &unit);
    if (moved && moved->size == last) {
        moved->size = size;
    }
    map->n_large--;
}

static inline uint32_t put_size(struct heapmap *map, const struct block *block)
{
    if (block->size < HEAPMAP_LARGE) {
        return (uint32_t)block->size;
    }
    map->large =
        memory_grow(map->large, &map->large_capacity, map->n_large + 1, sizeof(*map->large));
    map->large[map->n_large] = (struct heapmap_large){block->address, block->size};
    return HEAPMAP_LARGE + (uint32_t)map->n_large++;
}

/* ---- blocks ---- */

static uint64_t address_of(const struct heapmap_unit *unit, const struct heapmap_entry *entry)
{
    uint64_t where = unit->word >> HEAPMAP_WHERE_SHIFT & ~HEAPMAP_UNIT;
    return where << 14 | (uint64_t)heapmap_offset(entry->tag) << 3;
}

static struct block block_of(
    const struct heapmap *map, const struct heapmap_unit *unit, const struct heapmap_entry *entry)
{
    return (struct block){
        address_of(unit, entry), size_of(map, entry), entry->cell, (uint16_t)entry->tag};
}

bool heapmap_put(struct heapmap *map, const struct block *block, struct block *old)
{
    uint64_t key = heapmap_key(block->address);
    uint32_t tag = heapmap_tag(key);
    struct heapmap_unit *unit = make_unit(map, key);
    struct heapmap_entry *entry = make_slot(map, unit, tag);
    bool fresh = !entry->cell;
    if (fresh) {
        heapmap_gain(map, unit);
    } else {
        *old = block_of(map, unit, entry);
        if (is_listed(entry)) {
            unlist(map, entry->size);
        }
    }
    *entry = (struct heapmap_entry){tag | block->stamp, put_size(map, block), block->cell};
    return fresh;
}

bool heapmap_get(const struct heapmap *map, uint64_t address, struct block *block)
{
    struct heapmap_unit *unit;
    const struct heapmap_entry *entry = find(map, address, &unit);
    if (entry) {
        *block = block_of(map, unit, entry);
    }
    return entry;
}

bool heapmap_take(struct heapmap *map, uint64_t address, struct block *block)
{
    struct heapmap_unit *unit;
    struct heapmap_entry *entry = find(map, address, &unit);
    if (!entry) {
        return false;
    }
    *block = block_of(map, unit, entry);
    entry->cell = 0;
    heapmap_lose(map, unit);
    if (is_listed(entry)) {
        unlist(map, entry->size);
    }
    return true;
}

void heapmap_each(
    const struct heapmap *map, void (*each)(void *, const struct block *), void *context)
{
    for (uint64_t i = 0; i < map->capacity; i++) {
        const struct heapmap_unit *unit = &map->units[i];
        for (uint32_t slot = 0; slot < heapmap_capacity(unit); slot++) {
            const struct heapmap_entry *entry = &heapmap_table(unit)[slot];
            if (entry->cell) {
                struct block block = block_of(map, unit, entry);
                each(context, &block);
            }
        }
    }
}

void heapmap_age(struct heapmap *map, uint32_t less)
{
    for (uint64_t i = 0; i < map->capacity; i++) {
        struct heapmap_entry *table = heapmap_table(&map->units[i]);
        for (uint32_t slot = 0; slot < heapmap_capacity(&map->units[i]); slot++) {
            uint32_t stamp = table[slot].tag & HEAPMAP_STAMP;
            table[slot].tag -= stamp < less ? stamp : less;
        }
    }
}

void heapmap_reopen(struct heapmap *map)
{
    slots_reopen(&map->slots);
}

uint64_t heapmap_bytes(const struct heapmap *map)
{
    return map->capacity * sizeof(*map->units) + slots_bytes(&map->slots);
}

void heapmap_free(struct heapmap *map)
{
    memory_free(map->units);
    memory_free(map->large);
    slots_free(&map->slots);
    *map = (struct heapmap){0};
}
