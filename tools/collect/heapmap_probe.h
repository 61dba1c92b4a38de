/*
 * Where the live map (heapmap.h) has an address: for heapmap.c, and for what is inlined into the
 * loop of all events.
 *
 * A table has its blocks in the order of their addresses, as far as there is room: at the place
 * where the whole table would be filled evenly, or else in the next slot that is free.  Where many
 * small blocks lie close together between large ones that makes long runs; such a unit is
 * scattered, by a factor that changes the order.
 *
 * Where all blocks of a unit are of one size and as far apart as allocators lay them, a table with
 * as many slots as there can be such blocks is a row: each block has the first slot to look at for
 * itself.  The first one that finds another there makes it a table as the others are.
 */
#ifndef COLLECT_HEAPMAP_PROBE_H
#define COLLECT_HEAPMAP_PROBE_H

#include "collect/heapmap.h"

/* A key is an address << 16; which addresses a unit has is HEAPMAP_UNIT | the key's bits from 30
   on; its word is that << 24 | room << 12 | blocks.  An entry's tag is HEAPMAP_TAG | the offset in
   the unit in 8 bytes << 16, and its stamp below. */
#define HEAPMAP_UNIT (1ull << 39)
#define HEAPMAP_WHERE_SHIFT 24
#define HEAPMAP_ROOM_SHIFT 12
#define HEAPMAP_COUNT 0xfffull /* room, or blocks: at most HEAPMAP_OFFSETS */
#define HEAPMAP_TAG (1u << 31)
#define HEAPMAP_STAMP 0xffffu
#define HEAPMAP_OFFSETS 2048u
#define HEAPMAP_SHARE (1u << 21) /* 2^32 / HEAPMAP_OFFSETS */
#define HEAPMAP_FACTOR 1255u     /* odd: each offset has a place of its own */

/* A table: HEAPMAP_SCATTERED, HEAPMAP_ROW or neither, capacity << 48, and the address. */
#define HEAPMAP_SCATTERED (1ull << 63)
#define HEAPMAP_ROW (1ull << 62)
#define HEAPMAP_POINTER ((1ull << 48) - 1)

static inline uint64_t heapmap_key(uint64_t address)
{
    return address << 16;
}

/* ---- units ---- */

static inline uint64_t heapmap_where(uint64_t key)
{
    return HEAPMAP_UNIT | key >> 30;
}

static inline bool heapmap_is_unit(const struct heapmap_unit *unit, uint64_t where)
{
    return unit->word >> HEAPMAP_WHERE_SHIFT == where;
}

static inline uint32_t heapmap_blocks(const struct heapmap_unit *unit)
{
    return (uint32_t)(unit->word & HEAPMAP_COUNT);
}

static inline uint32_t heapmap_room(const struct heapmap_unit *unit)
{
    return (uint32_t)(unit->word >> HEAPMAP_ROOM_SHIFT & HEAPMAP_COUNT);
}

/* A slot that no block has had is taken; there is room. */
static inline void heapmap_take_room(struct heapmap_unit *unit)
{
    unit->word -= 1u << HEAPMAP_ROOM_SHIFT;
}

/* The first place to look for it. */
static inline uint64_t heapmap_unit_first(uint64_t capacity, uint64_t where)
{
    uint64_t hash = where * 0x9e3779b97f4a7c15ull;
    return (uint64_t)((unsigned __int128)hash * capacity >> 64);
}

/* The unit, or the unused one where it belongs, whatever the first one is. */
struct heapmap_unit *heapmap_seek_unit(const struct heapmap *map, uint64_t where);

/* The same; there is a map. */
static inline __attribute__((always_inline)) struct heapmap_unit *heapmap_find_unit(
    const struct heapmap *map, uint64_t key)
{
    uint64_t where = heapmap_where(key);
    struct heapmap_unit *unit = &map->units[heapmap_unit_first(map->capacity, where)];
    return __builtin_expect(heapmap_is_unit(unit, where), 1) ? unit : heapmap_seek_unit(map, where);
}

/* ---- slots ---- */

static inline uint32_t heapmap_tag(uint64_t key)
{
    return HEAPMAP_TAG | ((uint32_t)(key >> 3) & (HEAPMAP_OFFSETS - 1) << 16);
}

static inline uint32_t heapmap_offset(uint32_t tag)
{
    return tag >> 16 & (HEAPMAP_OFFSETS - 1);
}

static inline bool heapmap_is_of(const struct heapmap_entry *entry, uint32_t tag)
{
    return (entry->tag ^ tag) <= HEAPMAP_STAMP;
}

static inline uint32_t heapmap_capacity(const struct heapmap_unit *unit)
{
    return (uint32_t)(unit->table >> 48) & 0xfff;
}

static inline struct heapmap_entry *heapmap_table(const struct heapmap_unit *unit)
{
    return (struct heapmap_entry *)(uintptr_t)(unit->table & HEAPMAP_POINTER);
}

static inline uint32_t heapmap_place(const struct heapmap_unit *unit, uint32_t tag)
{
    uint32_t is_scattered = (uint32_t)(unit->table >> 63);
    uint32_t factor = 1 + (-is_scattered & (HEAPMAP_FACTOR - 1));
    uint32_t share = (tag >> 16) * (factor * HEAPMAP_SHARE); /* of the table, in 2^-32 */
    return (uint32_t)((uint64_t)share * heapmap_capacity(unit) >> 32);
}

/* The first slot to look at, in a unit with a table. */
static inline struct heapmap_entry *heapmap_first(const struct heapmap_unit *unit, uint32_t tag)
{
    return heapmap_table(unit) + heapmap_place(unit, tag);
}

static inline bool heapmap_is_row(const struct heapmap_unit *unit)
{
    return unit->table & HEAPMAP_ROW;
}

/* The slot of a block, or the unused one where it belongs, if it is not the first one to look at;
   NULL if there is none, and in a unit without blocks. */
struct heapmap_entry *heapmap_seek(const struct heapmap_unit *unit, uint32_t tag);

/* The same, whatever is the first slot to look at, in a unit with a table. */
static inline __attribute__((always_inline)) struct heapmap_entry *heapmap_find(
    const struct heapmap_unit *unit, uint32_t tag)
{
    struct heapmap_entry *first = heapmap_first(unit, tag);
    return __builtin_expect(heapmap_is_of(first, tag) || !first->tag, 1) ? first
                                                                         : heapmap_seek(unit, tag);
}

/* A block has come, or gone.  The inlined loop does what heapmap_put and heapmap_take do. */
static inline void heapmap_gain(struct heapmap *map, struct heapmap_unit *unit)
{
    map->blocks++;
    if (__builtin_expect(!(unit->word++ & HEAPMAP_COUNT), 0)) {
        map->empty--;
    }
}

static inline void heapmap_lose(struct heapmap *map, struct heapmap_unit *unit)
{
    map->blocks--;
    if (__builtin_expect(!(--unit->word & HEAPMAP_COUNT), 0)) {
        map->empty++;
    }
}

/* A block of a large map goes. */
static inline void heapmap_note_free(struct heapmap *map, uint64_t key)
{
    struct heapmap_near *near = &map->near;
    uint32_t where = (uint32_t)(key >> 30);
    uint32_t at = where * 0x9e3779b1u >> (32 - HEAPMAP_NEAR_BITS);
    near->strays += near->units[at] != where;
    near->units[at] = where;
    if (__builtin_expect(++near->frees == HEAPMAP_COUNTED, 0)) {
        near->is_scattered = near->strays > HEAPMAP_SCATTERED_FROM;
        near->frees = near->strays = 0;
    }
}

#endif
