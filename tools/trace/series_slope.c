/*
 * The slope of a series.  Runs in reports.
 */
#include "trace/series.h"

/* Sums of a least squares fit, with times from the first sample on so that nothing cancels. */
struct fit {
    double weight, t, tt, y, ty;
};

static void add(struct fit *fit, double weight, double t, double y)
{
    fit->weight += weight;
    fit->t += weight * t;
    fit->tt += weight * t * t;
    fit->y += weight * y;
    fit->ty += weight * t * y;
}

static double slope_of(const struct fit *fit, double *at_zero)
{
    double spread = fit->weight * fit->tt - fit->t * fit->t;
    double slope = spread > 0 ? (fit->weight * fit->ty - fit->t * fit->y) / spread : 0;
    *at_zero = fit->weight > 0 ? (fit->y - slope * fit->t) / fit->weight : 0;
    return slope;
}

struct series_slope series_slope(const struct series *series, uint64_t from_us)
{
    struct series_slope slope = {0};
    struct fit rss = {0}, live = {0};
    size_t first = 0;
    while (first < series->count && series->samples[first].time_us < from_us)
        first++;
    if (first + 1 >= series->count)
        return slope;
    slope.from_us = series->samples[first].time_us;
    slope.to_us = series->samples[series->count - 1].time_us;
    for (size_t i = first; i < series->count; i++) {
        const struct trace_sample *sample = &series->samples[i];
        uint64_t before = series->samples[i > first ? i - 1 : i].time_us;
        uint64_t after = series->samples[i + 1 < series->count ? i + 1 : i].time_us;
        double t = (double)(sample->time_us - slope.from_us) / 1e6;
        add(&rss, (double)(after - before), t, (double)sample->rss);
        add(&live, (double)(after - before), t, (double)series_live(sample));
    }
    slope.present = slope.to_us > slope.from_us;
    slope.rss = slope_of(&rss, &slope.rss_start);
    slope.live = slope_of(&live, &slope.live_start);
    return slope;
}
