/*
 * Large blocks without pages (touched.h).  In the collector, after the samples
 * of RSS.
 */
#include "collect/touched.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "collect/memory.h"
#include "collect/pages.h"
#include "memtrace/format.h"

#define BOUND 100u /* of so much time one part */
#define EVERY_US 20000u
#define OF_AGE 200u /* not more often than each so many parts of the time so far */

struct touched_look { /* at a block or a map, which may have gone meanwhile */
    struct image *image;
    uint64_t start, size, untouched;
    uint32_t cell;
    bool is_map;
};

/* Of what was there when it was opened: another program in its place has another one. */
static bool open_pagemap(struct image *image)
{
    char path[64];
    if (image->pagemap < 0 && !image->has_no_pagemap) {
        snprintf(path, sizeof(path), "/proc/%d/pagemap", image->pid);
        image->pagemap = open(path, O_RDONLY | O_CLOEXEC);
        image->has_no_pagemap = image->pagemap < 0;
    }
    return image->pagemap >= 0;
}

void touched_close(struct image *image)
{
    if (image->pagemap >= 0) {
        close(image->pagemap);
        image->pagemap = -1;
    }
}

/* ---- looking ---- */

static void add_look(struct touched *touched, const struct touched_look *look)
{
    touched->looks = memory_grow(
        touched->looks, &touched->looks_capacity, touched->n_looks + 1, sizeof(*touched->looks));
    touched->looks[touched->n_looks++] = *look;
}

static bool look_at(struct touched *touched, struct touched_look *look)
{
    if (look->size < HEAPMAP_LARGE) {
        return true;
    }
    if (!pages_untouched(look->image->pagemap, look->start, look->size, &look->untouched)) {
        return false; /* the process has ended, or is another program now */
    }
    add_look(touched, look);
    return true;
}

static void look_at_image(struct touched *touched, struct image *image)
{
    const struct heapmap *blocks = &image->blocks;
    struct block block;
    bool good = open_pagemap(image);
    for (size_t i = 0; i < blocks->n_large && good; i++) {
        if (heapmap_get(blocks, blocks->large[i].address, &block)) {
            struct touched_look look = {image, block.address, block.size, 0, block.cell, false};
            good = look_at(touched, &look);
        }
    }
    for (size_t i = 0; i < image->maps.count && good; i++) {
        const struct range *range = &image->maps.ranges[i];
        struct touched_look look = {
            image, range->start, range->end - range->start, 0, range->cell, true};
        good = look_at(touched, &look);
    }
}

static bool has_large(const struct image *image)
{
    if (!image->announced || image->finished) {
        return false;
    }
    for (size_t i = 0; i < image->maps.count; i++) {
        if (image->maps.ranges[i].end - image->maps.ranges[i].start >= HEAPMAP_LARGE) {
            return true;
        }
    }
    return image->blocks.n_large != 0;
}

static uint64_t cpu_us(void)
{
    struct timespec used = {0};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return (uint64_t)used.tv_sec * 1000000 + (uint64_t)used.tv_nsec / 1000;
}

static void look(struct collector *collector)
{
    struct touched *touched = &collector->touched;
    uint64_t start = cpu_us(), of_age = collector->now_us / OF_AGE;
    touched->looked_us = session_clock(collector);
    for (size_t i = 0; i < collector->n_living; i++) {
        struct image *image = collector->living[i];
        if (has_large(image) || image->untouched) {
            look_at_image(touched, image);
            touched->looked_at = true;
        }
    }
    uint64_t pause = BOUND * (cpu_us() - start);
    pause = pause > EVERY_US ? pause : EVERY_US;
    touched->due_us = touched->looked_us + (pause > of_age ? pause : of_age);
}

/* ---- taking up what was seen ---- */

static bool is_there(const struct touched_look *look)
{
    const struct image *image = look->image;
    struct block block;
    if (image->finished) {
        return false;
    }
    if (!look->is_map) {
        return heapmap_get(&image->blocks, look->start, &block) && block.size == look->size &&
               block.cell == look->cell;
    }
    for (size_t i = 0; i < image->maps.count; i++) {
        const struct range *range = &image->maps.ranges[i];
        if (range->start == look->start) {
            return range->end - range->start == look->size && range->cell == look->cell;
        }
    }
    return false;
}

/* Of a sample as much of what it stands for. */
static uint64_t weigh(const struct accounts *accounts, const struct touched_look *look)
{
    if (look->is_map || !accounts->sample_bytes) {
        return look->untouched;
    }
    struct weight weight = weight_of_block(look->start, look->size, accounts->sample_bytes);
    return (uint64_t)((double)weight.bytes * (double)look->untouched / (double)look->size);
}

struct untouched { /* of a site */
    uint32_t site;
    uint64_t bytes;
};

static int by_site(const void *a, const void *b)
{
    const struct untouched *x = a, *y = b;
    return x->site < y->site ? -1 : x->site > y->site;
}

/* The looks at one process, a row for each site that has something untouched; the number of rows.
 */
static size_t add_up(const struct accounts *accounts, const struct touched *touched,
    const struct image *image, struct untouched *rows)
{
    size_t count = 0, sites = 0;
    for (size_t i = 0; i < touched->n_looks; i++) {
        const struct touched_look *look = &touched->looks[i];
        if (look->image == image && look->untouched && is_there(look)) {
            uint32_t cell = accounts_standing(accounts, look->cell);
            rows[count++] =
                (struct untouched){accounts->cells[cell].site_id, weigh(accounts, look)};
        }
    }
    qsort(rows, count, sizeof(*rows), by_site);
    for (size_t i = 0; i < count; i++) {
        if (sites && rows[sites - 1].site == rows[i].site) {
            rows[sites - 1].bytes += rows[i].bytes;
        } else {
            rows[sites++] = rows[i];
        }
    }
    return sites;
}

static void put_rows(struct collector *collector, struct image *image, const struct untouched *rows,
    size_t count, uint64_t time_us)
{
    struct buffer *body = &collector->touched.records.body;
    uint32_t before = 0;
    buffer_varint(body, image->process);
    buffer_varint(body, time_us);
    buffer_varint(body, !image->has_no_pagemap);
    buffer_varint(body, count);
    for (size_t i = 0; i < count; i++) {
        buffer_varint(body, rows[i].site - before);
        buffer_varint(body, rows[i].bytes);
        before = rows[i].site;
    }
    collector->touched.records.count++;
}

/* Whether it is the same as what was said last is known by a sum over it. */
static uint64_t sum_of(const struct untouched *rows, size_t count)
{
    uint64_t sum = 1;
    for (size_t i = 0; i < count; i++) {
        sum = weight_mix(sum ^ rows[i].bytes ^ (uint64_t)rows[i].site << 40);
    }
    return sum;
}

static void take_up(struct collector *collector, struct image *image)
{
    struct touched *touched = &collector->touched;
    struct untouched *rows = malloc((touched->n_looks + 1) * sizeof(*rows));
    if (!rows) {
        return;
    }
    size_t count = add_up(&collector->accounts, touched, image, rows);
    uint64_t sum = sum_of(rows, count);
    if (sum != image->untouched) {
        image->untouched = sum;
        put_rows(collector, image, rows, count, touched->looked_us);
    }
    free(rows);
}

void touched_take(struct collector *collector)
{
    struct touched *touched = &collector->touched;
    for (size_t i = 0; i < collector->n_living && touched->looked_at; i++) {
        struct image *image = collector->living[i];
        if ((has_large(image) || image->untouched) && !image->finished) {
            take_up(collector, image);
        }
    }
    touched->looked_at = false;
    touched->n_looks = 0;
    if (collector->now_us >= touched->due_us) {
        look(collector);
    }
}

void touched_flush(struct collector *collector)
{
    struct pending *records = &collector->touched.records;
    struct buffer body = {0};
    if (!records->count) {
        return;
    }
    buffer_varint(&body, records->count);
    buffer_append(&body, records->body.data, records->body.size);
    records->count = 0;
    records->body.size = 0;
    definitions_flush(&collector->accounts.definitions, &collector->writer);
    writer_chunk(&collector->writer, MT_CHUNK_UNTOUCHED, &body);
    buffer_free(&body);
}
