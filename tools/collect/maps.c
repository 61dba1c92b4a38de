/*
 * Maps of a process (maps.h).  In the collector; they are few beside blocks.
 */
#include "collect/maps.h"

#include "collect/eventlog.h"
#include "collect/ringdefs.h"

#define PAGE 4096ull
#define SPACE (1ull << 47) /* a program's addresses lie below it, and so do its sizes */

struct maps {
    struct accounts *accounts;
    struct ring *ring;
};

static void log_piece(const struct maps *maps, enum log_kind kind, const struct range *piece)
{
    const struct ring *ring = maps->ring;
    struct block block = {
        .address = piece->start, .size = piece->end - piece->start, .cell = piece->cell};
    if (ring->image->log) {
        eventlog_add(ring->image->log, maps->accounts, kind, &block, ring->thread, ring->time_us);
    }
}

static void piece_gone(void *context, const struct range *piece, int ranges)
{
    struct maps *maps = context;
    log_piece(maps, ranges > 0 ? LOG_UNMAP : ranges < 0 ? LOG_SPLIT : LOG_CUT, piece);
    accounts_cut(maps->accounts, &maps->ring->image->account, piece->cell,
        piece->end - piece->start, ranges);
}

/* A piece that is being moved counts on, as a range of its own. */
static void piece_moves(void *context, const struct range *piece, int ranges)
{
    struct maps *maps = context;
    struct range nothing = {piece->start, piece->start, piece->cell};
    for (; ranges < 1; ranges++) {
        piece_gone(maps, &nothing, -1);
    }
    rangemap_add(&maps->ring->moving, piece);
}

/* The pages that a record is about; empty where no address space has such. */
static struct range read_range(const struct ring *ring)
{
    uint64_t start = ring_word(ring, 1), size = ring_word(ring, 2);
    bool is_sane = start < SPACE && size < SPACE - start;
    return (struct range){start, start + (is_sane ? (size + PAGE - 1) & ~(PAGE - 1) : 0), 0};
}

static uint32_t domain_at(const struct maps *maps, uint64_t address)
{
    const struct range *range = rangemap_at(&maps->ring->image->maps, address);
    const struct accounts *accounts = maps->accounts;
    return range ? accounts->cells[accounts_standing(accounts, range->cell)].domain
                 : MT_DOMAIN_MMAP;
}

static uint32_t domain_of(const struct ring *ring, uint32_t flags)
{
    return flags & MT_MAP_ARENA   ? MT_DOMAIN_ARENA
           : flags & MT_MAP_MOVED ? ring->moving_domain
           : flags & MT_MAP_FILE  ? MT_DOMAIN_FILE
                                  : MT_DOMAIN_MMAP;
}

void maps_map(struct accounts *accounts, struct ring *ring, uint32_t node, uint32_t flags)
{
    struct maps maps = {accounts, ring};
    struct range range = read_range(ring);
    if (flags & MT_MAP_BACK) {
        maps_stay(accounts, ring);
        return;
    }
    if (flags & MT_MAP_MOVED) {
        maps_go(accounts, ring);
    }
    if (range.end > range.start) {
        uint32_t site = ringdefs_site(ring, &accounts->definitions, node, domain_of(ring, flags));
        range.cell = accounts_cell(accounts, site);
        rangemap_remove(&ring->image->maps, range.start, range.end, piece_gone, &maps);
        rangemap_add(&ring->image->maps, &range);
        log_piece(&maps, LOG_MAP, &range);
        accounts_add(
            accounts, &ring->image->account, range.cell, range.end - range.start, ring->time_us);
    }
}

void maps_unmap(struct accounts *accounts, struct ring *ring, uint32_t flags)
{
    struct maps maps = {accounts, ring};
    struct range range = read_range(ring);
    rangemap_gone *gone = piece_gone;
    if (flags & MT_MAP_MOVED) {
        maps_go(accounts, ring);
        ring->moving_domain = domain_at(&maps, range.start);
        gone = piece_moves;
    }
    rangemap_remove(&ring->image->maps, range.start, range.end, gone, &maps);
}

void maps_stay(struct accounts *accounts, struct ring *ring)
{
    struct maps maps = {accounts, ring};
    struct rangemap *there = &ring->image->maps;
    for (size_t i = 0; i < ring->moving.count; i++) {
        const struct range *piece = &ring->moving.ranges[i];
        rangemap_remove(there, piece->start, piece->end, piece_gone, &maps);
        rangemap_add(there, piece);
    }
    ring->moving.count = 0;
}

void maps_go(struct accounts *accounts, struct ring *ring)
{
    struct maps maps = {accounts, ring};
    for (size_t i = 0; i < ring->moving.count; i++) {
        piece_gone(&maps, &ring->moving.ranges[i], 1);
    }
    ring->moving.count = 0;
}
