/*
 * Inheritance by fork (forks.h).  In the collector; only forks_stamp runs for
 * every event, the rest for images that fork or were forked.
 */
#include "collect/forks.h"

#include <string.h>

#include "collect/image.h"
#include "collect/memory.h"
#include "collect/spreads.h"

#define GONE_MAX (1u << 20) /* notes for children that may never be seen */
#define GONE_TIDY 4096u
#define AHEAD_MAX 4096u

/* ---- notes ---- */

struct wanted {
    uint64_t address;
    uint32_t number;
    bool inherited;
};

/* A block that was there at the fork `number`. */
static bool was_there(const void *context, uint32_t i, const void *key)
{
    const struct gone *gone = (const struct gone *)context + i;
    const struct wanted *wanted = key;
    return gone->address == wanted->address && gone->from < wanted->number &&
           wanted->number <= gone->to;
}

/* An inherited block that had gone before the fork `number`. */
static bool had_gone(const void *context, uint32_t i, const void *key)
{
    const struct gone *gone = (const struct gone *)context + i;
    const struct wanted *wanted = key;
    return gone->address == wanted->address && gone->inherited && gone->to < wanted->number;
}

static uint32_t hash(uint64_t address)
{
    return index_hash_numbers(address, 0);
}

static const struct gone *find(
    const struct forks *forks, index_equal *equal, uint64_t address, uint32_t number)
{
    struct wanted wanted = {.address = address, .number = number};
    uint32_t i = index_find(&forks->index, hash(address), equal, forks->gone, &wanted);
    return i ? &forks->gone[i] : NULL;
}

static void add_gone(struct forks *forks, const struct gone *gone)
{
    size_t i = forks->n_gone ? forks->n_gone : 1;
    forks->gone = memory_grow(forks->gone, &forks->gone_capacity, i + 1, sizeof(*forks->gone));
    forks->gone[i] = *gone;
    forks->n_gone = i + 1;
    forks->n_own += !gone->inherited;
    index_add(&forks->index, hash(gone->address), (uint32_t)i);
}

/* It may also be that the fork is still to be seen. */
static bool is_needed(const struct forks *forks, const struct gone *gone)
{
    if (gone->to > forks->seen) {
        return gone->from < gone->to;
    }
    for (size_t i = 0; i < forks->n_points && !gone->inherited; i++) {
        uint32_t number = forks->points[i].number;
        if (gone->from < number && number <= gone->to) {
            return true;
        }
    }
    return gone->inherited;
}

/* Drops the notes that no child needs any more. */
static void tidy(struct forks *forks)
{
    struct gone *gone = forks->gone;
    size_t n = forks->n_gone;
    forks->gone = NULL;
    forks->n_gone = forks->n_own = forks->gone_capacity = 0;
    index_free(&forks->index);
    for (size_t i = 1; i < n; i++) {
        if (is_needed(forks, &gone[i])) {
            add_gone(forks, &gone[i]);
        }
    }
    memory_free(gone);
    forks->tidy_at = 2 * forks->n_own + GONE_TIDY;
}

static void drop_point(struct forks *forks, size_t i)
{
    forks->n_points--;
    memmove(
        &forks->points[i], &forks->points[i + 1], (forks->n_points - i) * sizeof(*forks->points));
    if (forks->n_own && (!forks->n_points || forks->n_own > forks->tidy_at)) {
        tidy(forks);
    }
}

/* The oldest whose child was never seen: it may have ended, or become another program. */
static bool drop_unseen(struct forks *forks)
{
    for (size_t i = 0; i < forks->n_points; i++) {
        if (!forks->points[i].child) {
            drop_point(forks, i);
            return true;
        }
    }
    return false;
}

void forks_gone(struct image *image, const struct block *block, uint32_t after)
{
    struct forks *forks = &image->forks;
    struct gone gone = {.address = block->address,
        .size = block->size,
        .from = block->stamp ? forks->base + block->stamp : 0,
        .to = after};
    if (!is_needed(forks, &gone)) {
        return;
    }
    add_gone(forks, &gone);
    while (forks->n_own > GONE_MAX && drop_unseen(forks)) {
    }
}

/* ---- the parent's side ---- */

static uint64_t live_of(const struct image *image)
{
    return image->account.now.python + image->account.now.native;
}

/* Makes room for the stamps after another fork; false if there is none, because the child of a very
   old one still lives. */
static bool make_room(struct image *image, uint32_t number, uint32_t *aged)
{
    struct forks *forks = &image->forks;
    uint32_t oldest = forks->n_points ? forks->points[0].number : number;
    uint32_t behind = oldest - 1 - forks->base;
    if (number - forks->base > UINT16_MAX / 2 && behind > UINT16_MAX / 16) {
        *aged = behind;
        heapmap_age(&image->blocks, behind);
        forks->base = oldest - 1;
    }
    return number - forks->base < UINT16_MAX;
}

/* Takes what happened after the fork, though it was seen before it, from the point. */
static void take_ahead(struct forks *forks, struct fork_point *point)
{
    size_t kept = 0;
    for (size_t i = 0; i < forks->n_ahead; i++) {
        const struct ahead *ahead = &forks->ahead[i];
        point->bytes -= ahead->bytes;
        point->blocks -= ahead->blocks;
        if (ahead->after > point->number) {
            forks->ahead[kept++] = *ahead;
        }
    }
    forks->n_ahead = kept;
}

void forks_begin(struct image *image, uint32_t number, uint32_t *aged)
{
    struct forks *forks = &image->forks;
    *aged = 0;
    if (number <= forks->seen) {
        return; /* damage */
    }
    struct fork_point point = {.number = number,
        .bytes = (int64_t)live_of(image) + forks->bytes,
        .blocks = (int64_t)image->account.now.blocks + forks->blocks};
    take_ahead(forks, &point);
    forks->seen = number;
    if (!make_room(image, number, aged)) {
        return;
    }
    forks->points = memory_grow(
        forks->points, &forks->points_capacity, forks->n_points + 1, sizeof(*forks->points));
    forks->points[forks->n_points++] = point;
}

static void note_ahead(struct forks *forks, uint32_t after, int64_t bytes, int64_t blocks)
{
    size_t i = 0;
    while (i < forks->n_ahead && forks->ahead[i].after != after) {
        i++;
    }
    if (i == AHEAD_MAX) {
        return; /* damage: no thread is that far ahead */
    }
    if (i == forks->n_ahead) {
        forks->ahead = memory_grow(
            forks->ahead, &forks->ahead_capacity, forks->n_ahead + 1, sizeof(*forks->ahead));
        forks->ahead[forks->n_ahead++] = (struct ahead){.after = after};
    }
    forks->ahead[i].bytes += bytes;
    forks->ahead[i].blocks += blocks;
}

/* What an image holds of its parent's blocks changes. */
static void hold(
    struct accounts *accounts, struct image *image, int64_t bytes, int64_t blocks, bool inherits)
{
    image->forks.bytes += bytes;
    image->forks.blocks += blocks;
    accounts_hold(accounts, &image->account, image->forks.cell, bytes, blocks, inherits);
}

/* What was live at forks from after `after` on is otherwise than was thought: so is what their
   children have inherited, and theirs. */
static void correct(
    struct accounts *accounts, struct forks *forks, uint32_t after, int64_t bytes, int64_t blocks)
{
    for (size_t i = 0; i < forks->n_points; i++) {
        struct fork_point *point = &forks->points[i];
        if (point->number <= after) {
            continue;
        }
        point->bytes += bytes;
        point->blocks += blocks;
        if (point->child && point->child->forks.cell) {
            hold(accounts, point->child, bytes, blocks, true);
        }
        if (point->child) {
            correct(accounts, &point->child->forks, 0, bytes, blocks);
        }
    }
}

void forks_note(
    struct accounts *accounts, struct image *image, uint32_t after, int64_t bytes, int64_t blocks)
{
    struct forks *forks = &image->forks;
    if (after > forks->seen) {
        note_ahead(forks, after, bytes, blocks);
    } else {
        correct(accounts, forks, after, bytes, blocks);
    }
}

/* ---- the child's side ---- */

static struct fork_point *find_point(struct forks *forks, uint32_t number)
{
    for (size_t i = forks->n_points; number && i-- > 0;) {
        if (forks->points[i].number == number) {
            return &forks->points[i];
        }
    }
    return NULL;
}

void forks_inherit(
    struct accounts *accounts, struct image *child, struct image *parent, uint32_t number)
{
    struct fork_point *point = find_point(&parent->forks, number);
    if (!point || point->child) {
        return;
    }
    struct site_record site = {.process = child->process, .domain = MT_DOMAIN_INHERITED};
    point->child = child;
    child->forks.parent = parent;
    child->forks.number = number;
    child->forks.cell = accounts_cell(accounts, definitions_site(&accounts->definitions, &site));
    accounts_name(accounts, child->forks.cell);
    hold(accounts, child, point->bytes, point->blocks, true);
}

/* Was a block there at that fork of the image? */
static bool had_block(const struct image *image, uint32_t number, uint64_t address, uint64_t *size)
{
    for (; image; number = image->forks.number, image = image->forks.parent) {
        const struct forks *forks = &image->forks;
        const struct gone *gone = find(forks, was_there, address, number);
        struct block block;
        if (gone) {
            *size = gone->size;
            return true;
        }
        if (heapmap_get(&image->blocks, address, &block) &&
            (!block.stamp || forks->base + block.stamp < number)) {
            *size = block.size;
            return true;
        }
        if (find(forks, had_gone, address, number)) {
            return false;
        }
    }
    return false;
}

bool forks_release(struct accounts *accounts, struct image *child, uint64_t address, uint32_t after)
{
    struct forks *forks = &child->forks;
    struct gone gone = {.address = address, .to = after, .inherited = true};
    if (!forks->parent || find(forks, had_gone, address, UINT32_MAX) ||
        !had_block(forks->parent, forks->number, address, &gone.size)) {
        return false;
    }
    add_gone(forks, &gone);
    struct weight weight = spreads_weight(accounts, address, gone.size);
    hold(accounts, child, -weight.bytes, -weight.blocks, false);
    if (after != forks->seen) {
        forks_note(accounts, child, after, -weight.bytes, -weight.blocks);
    }
    return true;
}

/* ---- ends ---- */

void forks_let_go(struct accounts *accounts, struct image *image)
{
    struct forks *forks = &image->forks;
    if (forks->cell) {
        accounts_let_go(accounts, &image->account, forks->cell, forks->bytes, forks->blocks);
        forks->cell = 0;
    }
}

void forks_free(struct image *image)
{
    struct forks *forks = &image->forks;
    memory_free(forks->points);
    memory_free(forks->ahead);
    memory_free(forks->gone);
    index_free(&forks->index);
    *forks = (struct forks){.seen = forks->seen, .base = forks->base};
    heapmap_free(&image->blocks);
}

void forks_leave(struct image *image, bool all)
{
    while (image && image->finished) {
        struct image *parent = image->forks.parent;
        uint32_t number = image->forks.number;
        while (all && drop_unseen(&image->forks)) {
        }
        if (image->forks.n_points) {
            return;
        }
        forks_free(image);
        struct fork_point *point = parent ? find_point(&parent->forks, number) : NULL;
        if (point) {
            drop_point(&parent->forks, (size_t)(point - parent->forks.points));
        }
        image = parent;
        all = false;
    }
}
