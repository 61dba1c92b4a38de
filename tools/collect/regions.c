/*
 * Regions and answers (regions.h).  In the collector.
 *
 * account.high holds the largest sum since it was reset.  Whoever resets it first
 * folds it into what else is being watched: the open regions and the next sample.
 */
#include "collect/regions.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "collect/memory.h"
#include "memtrace/format.h"

static uint64_t live_of(const struct image *image)
{
    return image->account.now.python + image->account.now.native;
}

static void raise_to(uint64_t *value, uint64_t other)
{
    *value = *value > other ? *value : other;
}

static void fold_high(struct image *image)
{
    raise_to(&image->high, image->account.high);
    for (size_t i = 0; i < image->n_regions; i++) {
        raise_to(&image->regions[i].peak, image->account.high);
    }
    image->account.high = live_of(image);
}

uint64_t regions_take_high(struct image *image)
{
    fold_high(image);
    uint64_t high = image->high;
    image->high = live_of(image);
    return high;
}

void regions_answer(struct ring *ring, uint32_t question, const uint64_t *answers, unsigned count)
{
    struct mt_ring *shared = ring->shared;
    for (unsigned i = 0; i < count; i++) {
        atomic_store_explicit(&shared->answers[i], answers[i], memory_order_relaxed);
    }
    atomic_store(&shared->answered, question);
    syscall(SYS_futex, &shared->answered, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
}

void regions_begin(struct collector *collector, struct ring *ring, uint32_t number, uint32_t name)
{
    struct image *image = ring->image;
    fold_high(image);
    image->regions = memory_grow(
        image->regions, &image->regions_capacity, image->n_regions + 1, sizeof(*image->regions));
    image->regions[image->n_regions++] = (struct region){
        .number = number,
        .name = name,
        .thread = ring->thread,
        .start_us = ring->time_us,
        .live = live_of(image),
        .peak = live_of(image),
    };
}

static void put_region(struct collector *collector, const struct image *image,
    const struct region *region, uint64_t end_us)
{
    struct pending *pending = &collector->regions;
    if (!image->process || collector->n_regions == REGIONS_MAX) {
        return;
    }
    collector->n_regions++;
    buffer_varint(&pending->body, image->process);
    buffer_varint(&pending->body, region->thread);
    buffer_varint(&pending->body, region->name);
    buffer_varint(&pending->body, region->start_us);
    buffer_varint(&pending->body, end_us > region->start_us ? end_us - region->start_us : 0);
    buffer_varint(&pending->body, region->live);
    buffer_varint(&pending->body, live_of(image));
    buffer_varint(&pending->body, region->peak);
    pending->count++;
}

/* The latest one of that number, its place; n_regions if there is none. */
static size_t find_region(const struct image *image, uint32_t number)
{
    for (size_t i = image->n_regions; i-- > 0;) {
        if (image->regions[i].number == number) {
            return i;
        }
    }
    return image->n_regions;
}

void regions_end(struct collector *collector, struct ring *ring, uint32_t number, uint32_t question)
{
    struct image *image = ring->image;
    size_t place = find_region(image, number);
    uint64_t answers[MT_ANSWERS] = {live_of(image), live_of(image), live_of(image), 0};
    if (place < image->n_regions) {
        fold_high(image);
        struct region region = image->regions[place];
        image->n_regions--;
        for (size_t i = place; i < image->n_regions; i++) {
            image->regions[i] = image->regions[i + 1];
        }
        put_region(collector, image, &region, ring->time_us);
        answers[0] = region.live;
        answers[2] = region.peak;
        answers[3] = ring->time_us - region.start_us;
    }
    if (question) {
        regions_answer(ring, question, answers, MT_ANSWERS);
    }
}

void regions_close(struct collector *collector, struct image *image)
{
    fold_high(image);
    while (image->n_regions) {
        put_region(collector, image, &image->regions[--image->n_regions], image->end_us);
    }
    memory_free(image->regions);
    image->regions = NULL;
    image->regions_capacity = 0;
}

void regions_flush(struct collector *collector)
{
    struct pending *pending = &collector->regions;
    struct buffer body = {0};
    if (!pending->count) {
        return;
    }
    buffer_varint(&body, pending->count);
    buffer_append(&body, pending->body.data, pending->body.size);
    definitions_flush(&collector->accounts.definitions, &collector->writer);
    writer_chunk(&collector->writer, MT_CHUNK_REGIONS, &body);
    buffer_free(&body);
    buffer_free(&pending->body);
    *pending = (struct pending){0};
}
