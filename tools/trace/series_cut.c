/*
 * A series cut to a window and thinned to the pixels there are.  Runs in reports.
 */
#include "trace/series.h"

#include <stdlib.h>

bool series_window(struct series *series, uint64_t from_us, uint64_t to_us)
{
    struct trace_sample *kept = calloc(series->count + 2, sizeof *kept);
    size_t n = 0, i = 0;
    if (!kept)
        return false;
    while (i < series->count && series->samples[i].time_us < from_us)
        i++;
    if (i > 0 && i < series->count && series->samples[i].time_us > from_us)
        kept[n++] = series_between(&series->samples[i - 1], &series->samples[i], from_us);
    for (; i < series->count && series->samples[i].time_us <= to_us; i++)
        kept[n++] = series->samples[i];
    if (i > 0 && i < series->count && series->samples[i - 1].time_us < to_us)
        kept[n++] = series_between(&series->samples[i - 1], &series->samples[i], to_us);
    free(series->samples);
    series->samples = kept;
    series->count = n;
    return true;
}

enum { LOW_LIVE, HIGH_LIVE, LOW_RSS, HIGH_RSS, EXTREMES };

/* Marks the samples of a slice that must stay. */
static void find_extremes(
    const struct trace_sample *samples, size_t from, size_t to, size_t found[EXTREMES])
{
    for (int e = 0; e < EXTREMES; e++)
        found[e] = from;
    for (size_t i = from + 1; i < to; i++) {
        uint64_t live = series_live(&samples[i]);
        if (live < series_live(&samples[found[LOW_LIVE]]))
            found[LOW_LIVE] = i;
        if (live > series_live(&samples[found[HIGH_LIVE]]))
            found[HIGH_LIVE] = i;
        if (samples[i].rss < samples[found[LOW_RSS]].rss)
            found[LOW_RSS] = i;
        if (samples[i].rss > samples[found[HIGH_RSS]].rss)
            found[HIGH_RSS] = i;
    }
}

static bool is_extreme(const size_t found[EXTREMES], size_t i)
{
    for (int e = 0; e < EXTREMES; e++)
        if (found[e] == i)
            return true;
    return false;
}

void series_thin(struct series *series, size_t points)
{
    struct trace_sample *samples = series->samples;
    size_t count = series->count, kept = 0;
    if (count <= points || points < 8)
        return;
    uint64_t start = samples[0].time_us, span = samples[count - 1].time_us - start + 1;
    uint64_t slices = (points - 2) / EXTREMES, high = 0;
    for (size_t from = 0, to; from < count; from = to) {
        uint64_t slice =
            (uint64_t)((double)(samples[from].time_us - start) * (double)slices / (double)span);
        for (to = from + 1; to < count && (uint64_t)((double)(samples[to].time_us - start) *
                                                     (double)slices / (double)span) == slice;)
            to++;
        size_t found[EXTREMES];
        find_extremes(samples, from, to, found);
        for (size_t i = from; i < to; i++) {
            high = samples[i].high > high ? samples[i].high : high;
            if (i != 0 && i != count - 1 && !is_extreme(found, i))
                continue;
            struct trace_sample sample = samples[i];
            sample.high = high;
            samples[kept++] = sample;
            high = 0;
        }
    }
    series->count = kept;
}
