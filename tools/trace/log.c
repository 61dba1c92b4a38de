/*
 * Encoding and decoding of the log (log.h).  In the collector, for every event of
 * a run that keeps all, and in reports, on input that nobody vouches for.
 *
 * Like compresses with like: the fields are written column by column.  Programs give
 * back soon what they got, and get again what they gave back, so an address is a small
 * number: how many allocations, or frees, ago it was.
 */
#include "trace/log.h"

#include <stdlib.h>
#include <string.h>

/* ---- where an address was last ---- */

enum { SLOTS = 2 * LOG_EVENTS };

struct place { /* of an address in this chunk */
    uint64_t address;
    uint32_t number; /* of the allocation, or of the free, from 1; 0: not used */
    bool is_free;
};

static struct place *place_of(struct place *places, uint64_t address)
{
    size_t i = (address >> 3) * 0x9e3779b97f4a7c15ull >> 48;
    while (places[i % SLOTS].number && places[i % SLOTS].address != address)
        i++;
    return &places[i % SLOTS];
}

static bool is_of_block(enum log_kind kind)
{
    return kind <= LOG_MOVE_TO;
}

/* How long ago, from 1; 0: not in this chunk. */
static void find_distances(const struct log_event *events, size_t count, uint32_t *distances)
{
    struct place *places = calloc(SLOTS, sizeof *places);
    uint32_t allocations = 0, frees = 0;
    if (!places)
        abort();
    for (size_t i = 0; i < count; i++) {
        distances[i] = 0;
        if (!is_of_block(events[i].kind))
            continue;
        bool is_free = log_ends(events[i].kind);
        uint32_t *number = is_free ? &frees : &allocations;
        struct place *place = place_of(places, events[i].address);
        if (place->number && place->is_free != is_free)
            distances[i] = (is_free ? allocations : frees) + 1 - place->number;
        *place = (struct place){events[i].address, ++*number, is_free};
    }
    free(places);
}

/* ---- encoding ---- */

static void put_times(struct buffer *body, const struct log_event *events, size_t count)
{
    uint64_t first = UINT64_MAX, last = 0, before;
    for (size_t i = 0; i < count; i++) {
        first = events[i].time_us < first ? events[i].time_us : first;
        last = events[i].time_us > last ? events[i].time_us : last;
    }
    before = first = count ? first : 0;
    buffer_varint(body, first);
    buffer_varint(body, last - first);
    for (size_t i = 0; i < count; i++) {
        buffer_svarint(body, (int64_t)(events[i].time_us - before));
        before = events[i].time_us;
    }
}

static bool has_address(const struct log_event *event, uint32_t distance)
{
    return event->kind <= LOG_MAP && !distance;
}

/* What a block is: of those that end only if that is not known from their begin. */
static bool has_block(const struct log_event *event, uint32_t distance)
{
    return event->kind != LOG_OVER && (log_begins(event->kind) || !distance);
}

static void put_blocks(
    struct buffer *body, const struct log_event *events, size_t count, const uint32_t *distances)
{
    uint64_t address = 0;
    uint32_t site = 0;
    for (size_t i = 0; i < count; i++) {
        if (!has_address(&events[i], distances[i]))
            continue;
        buffer_svarint(body, (int64_t)(events[i].address - address) / 8);
        address = events[i].address;
    }
    for (size_t i = 0; i < count; i++) {
        if (!has_block(&events[i], distances[i]))
            continue;
        buffer_svarint(body, (int64_t)events[i].site - site);
        site = events[i].site;
    }
    for (size_t i = 0; i < count; i++)
        if (has_block(&events[i], distances[i]))
            buffer_varint(body, events[i].size);
    for (size_t i = 0; i < count; i++)
        if (has_block(&events[i], distances[i]) && log_ends(events[i].kind))
            buffer_varint(body, events[i].birth);
}

void log_put(struct buffer *body, uint32_t process, const struct log_event *events, size_t count)
{
    uint32_t *distances = malloc(LOG_EVENTS * sizeof *distances), thread = 0;
    if (!distances)
        abort();
    find_distances(events, count, distances);
    buffer_varint(body, process);
    buffer_varint(body, count);
    put_times(body, events, count);
    for (size_t i = 0; i < count; i++)
        buffer_varint(body, events[i].kind);
    for (size_t i = 0; i < count; i++) {
        buffer_svarint(body, (int64_t)events[i].thread - thread);
        thread = events[i].thread;
    }
    for (size_t i = 0; i < count; i++)
        if (is_of_block(events[i].kind))
            buffer_varint(body, distances[i]);
    put_blocks(body, events, count, distances);
    free(distances);
}

/* ---- decoding ---- */

void log_get_head(struct cursor *body, struct log_head *head)
{
    head->process = cursor_id(body, UINT32_MAX);
    head->count = cursor_count(body, 3);
    head->first_us = cursor_time(body);
    head->last_us = head->first_us + cursor_time(body);
    if (head->count > LOG_EVENTS || head->last_us < head->first_us)
        body->bad = true;
}

struct decoder {
    struct log_event *events;
    size_t count;
    uint32_t *distances, *allocations, *frees; /* the events of each, in order */
};

static void get_times(struct cursor *body, const struct log_head *head, struct log_event *events)
{
    uint64_t time = head->first_us;
    for (size_t i = 0; i < head->count; i++) {
        time += (uint64_t)cursor_svarint(body);
        events[i] = (struct log_event){.time_us = time};
        if (time < head->first_us || time > head->last_us)
            body->bad = true;
    }
}

static void get_columns(struct cursor *body, struct decoder *decoder)
{
    uint32_t thread = 0, site = 0;
    uint64_t address = 0;
    struct log_event *events = decoder->events;
    size_t n = decoder->count;
    for (size_t i = 0; i < n; i++)
        events[i].kind = (enum log_kind)cursor_id(body, LOG_KINDS);
    for (size_t i = 0; i < n; i++)
        events[i].thread = thread += (uint32_t)cursor_svarint(body);
    for (size_t i = 0; i < n; i++)
        decoder->distances[i] = is_of_block(events[i].kind) ? cursor_id(body, LOG_EVENTS + 1) : 0;
    for (size_t i = 0; i < n; i++)
        if (has_address(&events[i], decoder->distances[i]))
            events[i].address = address += (uint64_t)cursor_svarint(body) * 8;
    for (size_t i = 0; i < n; i++)
        if (has_block(&events[i], decoder->distances[i]))
            events[i].site = site += (uint32_t)cursor_svarint(body);
    for (size_t i = 0; i < n; i++)
        if (has_block(&events[i], decoder->distances[i]))
            events[i].size = cursor_amount(body);
    for (size_t i = 0; i < n; i++)
        if (has_block(&events[i], decoder->distances[i]) && log_ends(events[i].kind))
            events[i].birth = cursor_id(body, UINT32_MAX);
}

/* Takes addresses, and blocks that end, from the events that they name. */
static void resolve(struct cursor *body, struct decoder *decoder)
{
    uint32_t allocations = 0, frees = 0;
    for (size_t i = 0; i < decoder->count; i++) {
        struct log_event *event = &decoder->events[i];
        uint32_t distance = decoder->distances[i];
        if (!is_of_block(event->kind))
            continue;
        bool is_free = log_ends(event->kind);
        if (distance > (is_free ? allocations : frees)) {
            body->bad = true;
            return;
        }
        if (distance && is_free) {
            const struct log_event *begin =
                &decoder->events[decoder->allocations[allocations - distance]];
            event->address = begin->address;
            event->site = begin->site;
            event->size = begin->size;
            event->is_local = true;
        } else if (distance)
            event->address = decoder->events[decoder->frees[frees - distance]].address;
        if (is_free)
            decoder->frees[frees++] = (uint32_t)i;
        else
            decoder->allocations[allocations++] = (uint32_t)i;
    }
}

void log_get(struct cursor *body, const struct log_head *head, struct log_event *events)
{
    uint32_t *memory = malloc(3 * LOG_EVENTS * sizeof *memory);
    if (!memory)
        abort();
    struct decoder decoder = {
        events, head->count, memory, memory + LOG_EVENTS, memory + 2 * LOG_EVENTS};
    get_times(body, head, events);
    get_columns(body, &decoder);
    if (!body->bad)
        resolve(body, &decoder);
    if (cursor_left(body))
        body->bad = true;
    free(memory);
}
