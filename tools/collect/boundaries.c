/*
 * Thinning by age (boundaries.h).  In the collector.
 */
#include "collect/boundaries.h"

#include <stdlib.h>

#include "collect/memory.h"

static uint32_t take_ordinal(struct boundaries *boundaries, bool single)
{
    boundaries->single = memory_grow(boundaries->single, &boundaries->single_capacity,
        boundaries->next_ordinal + 1, sizeof(*boundaries->single));
    boundaries->single[boundaries->next_ordinal] = single;
    return boundaries->next_ordinal++;
}

uint32_t boundaries_add(struct boundaries *boundaries, uint64_t time_us, uint64_t rows, bool pin)
{
    boundaries->retained = memory_grow(boundaries->retained, &boundaries->capacity,
        boundaries->count + 1, sizeof(*boundaries->retained));
    uint32_t ordinal = take_ordinal(boundaries, false);
    boundaries->retained[boundaries->count++] =
        (struct boundary){.ordinal = ordinal, .pins = pin, .time_us = time_us, .rows = rows};
    return ordinal;
}

void boundaries_pass(struct boundaries *boundaries)
{
    take_ordinal(boundaries, true);
}

static struct boundary *find(struct boundaries *boundaries, uint32_t ordinal)
{
    for (size_t i = boundaries->count; i-- > 0;) {
        if (boundaries->retained[i].ordinal == ordinal) {
            return &boundaries->retained[i];
        }
    }
    return NULL;
}

void boundaries_pin(struct boundaries *boundaries, uint32_t ordinal)
{
    struct boundary *boundary = find(boundaries, ordinal);
    if (boundary) {
        boundary->pins++;
    }
}

void boundaries_unpin(struct boundaries *boundaries, uint32_t ordinal)
{
    struct boundary *boundary = find(boundaries, ordinal);
    if (boundary && boundary->pins) {
        boundary->pins--;
    }
}

static bool are_too_many(const struct boundaries *boundaries)
{
    uint64_t rows = 0;
    size_t pinned = 0;
    for (size_t i = 0; i < boundaries->count; i++) {
        rows += boundaries->retained[i].rows;
        pinned += boundaries->retained[i].pins != 0;
    }
    size_t others = boundaries->count - pinned;
    return others > BOUNDARIES_RETAINED || (rows > BOUNDARIES_ROWS && others > BOUNDARIES_LEAST) ||
           pinned > BOUNDARIES_PINNED;
}

/* What giving one up costs: the gap that it leaves, as a part of its age.  The first and the
   last one are never given up. */
static double loss_of(const struct boundaries *boundaries, size_t i)
{
    const struct boundary *all = boundaries->retained;
    uint64_t now = all[boundaries->count - 1].time_us;
    double gap = (double)(all[i + 1].time_us - all[i - 1].time_us);
    return gap / (double)(now - all[i].time_us + 1);
}

static size_t cheapest(const struct boundaries *boundaries, bool pinned)
{
    size_t best = 0;
    double least = 0;
    for (size_t i = 1; i + 1 < boundaries->count; i++) {
        double loss = loss_of(boundaries, i);
        if ((boundaries->retained[i].pins != 0) == pinned && (!best || loss < least)) {
            best = i;
            least = loss;
        }
    }
    return best;
}

static size_t choose(const struct boundaries *boundaries)
{
    size_t pinned = 0;
    for (size_t i = 0; i < boundaries->count; i++) {
        pinned += boundaries->retained[i].pins != 0;
    }
    size_t best = pinned > BOUNDARIES_PINNED ? cheapest(boundaries, true) : 0;
    return best ? best : cheapest(boundaries, false);
}

bool boundaries_thin(struct boundaries *boundaries, uint32_t *ordinal)
{
    size_t at = are_too_many(boundaries) ? choose(boundaries) : 0;
    if (!at) {
        return false;
    }
    *ordinal = boundaries->retained[at].ordinal;
    boundaries->n_dropped++;
    uint64_t rows = boundaries->retained[at].rows;
    struct boundary *after = &boundaries->retained[at + 1];
    after->rows = after->rows > rows ? after->rows : rows; /* at least; most are of both */
    for (boundaries->count--; at < boundaries->count; at++) {
        boundaries->retained[at] = boundaries->retained[at + 1];
    }
    return true;
}

void boundaries_free(struct boundaries *boundaries)
{
    memory_free(boundaries->retained);
    memory_free(boundaries->single);
    *boundaries = (struct boundaries){0};
}
