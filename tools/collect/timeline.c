/*
 * Merging samples by age (timeline.h).  In the collector, every second.
 */
#include "collect/timeline.h"

#include "collect/memory.h"

enum { LOW_LIVE, HIGH_LIVE, LOW_RSS, HIGH_RSS, EXTREMES };

static uint64_t live_of(const struct sample *sample)
{
    return sample->totals.python + sample->totals.native;
}

static void find_extremes(
    const struct sample *samples, size_t from, size_t to, size_t found[EXTREMES])
{
    for (int e = 0; e < EXTREMES; e++) {
        found[e] = from;
    }
    for (size_t i = from + 1; i < to; i++) {
        uint64_t live = live_of(&samples[i]), rss = samples[i].rss;
        found[LOW_LIVE] = live < live_of(&samples[found[LOW_LIVE]]) ? i : found[LOW_LIVE];
        found[HIGH_LIVE] = live > live_of(&samples[found[HIGH_LIVE]]) ? i : found[HIGH_LIVE];
        found[LOW_RSS] = rss < samples[found[LOW_RSS]].rss ? i : found[LOW_RSS];
        found[HIGH_RSS] = rss > samples[found[HIGH_RSS]].rss ? i : found[HIGH_RSS];
    }
}

static bool is_extreme(const size_t found[EXTREMES], size_t i)
{
    return i == found[LOW_LIVE] || i == found[HIGH_LIVE] || i == found[LOW_RSS] ||
           i == found[HIGH_RSS];
}

static size_t end_of_slice(const struct image *image, size_t from, uint64_t slice_us)
{
    size_t to = from + 1;
    while (to < image->n_samples &&
           image->samples[to].time_us - image->samples[from].time_us < slice_us) {
        to++;
    }
    return to;
}

/* In another array: a kill of the collector leaves this or that one, both in order. */
void timeline_thin(struct image *image, uint64_t slice_us)
{
    struct sample *samples = image->samples;
    struct sample *kept_samples = memory_zeroed(image->n_samples + 1, sizeof(*samples));
    size_t kept = 0;
    uint64_t high = 0;
    for (size_t from = 0, to; from < image->n_samples; from = to) {
        size_t found[EXTREMES];
        to = end_of_slice(image, from, slice_us);
        find_extremes(samples, from, to, found);
        for (size_t i = from; i < to; i++) {
            high = samples[i].high > high ? samples[i].high : high;
            if (is_extreme(found, i) || i + 1 == image->n_samples) {
                kept_samples[kept] = samples[i];
                kept_samples[kept++].high = high;
                high = 0;
            }
        }
    }
    image->samples_capacity = image->n_samples + 1;
    image->n_samples = kept;
    image->samples = kept_samples;
    memory_free(samples);
}

static void put_sample(
    struct buffer *body, const struct sample *sample, const struct sample *before)
{
    const struct totals *a = &sample->totals, *b = &before->totals;
    buffer_svarint(body, (int64_t)(sample->time_us - before->time_us));
    buffer_svarint(body, (int64_t)(sample->rss - before->rss));
    buffer_svarint(body, (int64_t)(a->python - b->python));
    buffer_svarint(body, (int64_t)(a->native - b->native));
    buffer_svarint(body, (int64_t)(a->mapped - b->mapped));
    buffer_svarint(body, (int64_t)(a->arenas - b->arenas));
    buffer_svarint(body, (int64_t)(sample->high - before->high));
}

bool timeline_take(struct image *image, uint64_t slice_us, bool all, struct buffer *body)
{
    struct sample before = {0};
    if (!image->n_samples) {
        return false;
    }
    timeline_thin(image, slice_us);
    const struct sample *samples = image->samples;
    uint64_t span_us = samples[image->n_samples - 1].time_us - samples[0].time_us;
    if (!all && span_us < slice_us && slice_us > TIMELINE_DELAY_US) {
        return false;
    }
    buffer_varint(body, image->process);
    buffer_varint(body, image->n_samples);
    for (size_t i = 0; i < image->n_samples; i++) {
        put_sample(body, &samples[i], &before);
        before = samples[i];
    }
    image->n_samples = 0;
    return true;
}
