/*
 * Timelines to series.  Runs in reports.  The sum walks all samples in the
 * order of time and keeps one running total, so that its cost does not depend
 * on how many processes lived at once.
 */
#include "trace/series.h"

#include <stdlib.h>
#include <string.h>

uint64_t series_live(const struct trace_sample *sample)
{
    return sample->python + sample->native;
}

void series_free(struct series *series)
{
    free(series->samples);
    *series = (struct series){0};
}

static bool allocate(struct series *series, size_t count)
{
    series->count = 0;
    series->samples = calloc(count ? count : 1, sizeof *series->samples);
    return series->samples != NULL;
}

static struct trace_sample *add(struct series *series, const struct trace_sample *sample)
{
    series->samples[series->count] = *sample;
    return &series->samples[series->count++];
}

struct series_peak series_peak(const struct trace *trace, uint32_t process)
{
    const struct trace_peak *peak = &trace->peaks[process];
    if (!peak->present && !process && trace->n_processes == 2)
        peak = &trace->peaks[1];
    if (!peak->present)
        return (struct series_peak){0};
    return (struct series_peak){true, peak->time_us, peak->python, peak->native};
}

static uint64_t mix(uint64_t a, uint64_t b, double part)
{
    double value = (double)a + part * ((double)b - (double)a) + 0.5;
    return value >= 0x1p63 ? INT64_MAX : value > 0 ? (uint64_t)value : 0;
}

struct trace_sample series_between(
    const struct trace_sample *a, const struct trace_sample *b, uint64_t time_us)
{
    double part = (double)(time_us - a->time_us) / (double)(b->time_us - a->time_us);
    struct trace_sample sample = {.time_us = time_us};
#define MIX(field) sample.field = mix(a->field, b->field, part)
    MIX(rss);
    MIX(python);
    MIX(native);
    MIX(mapped);
    MIX(arenas);
#undef MIX
    sample.high = series_live(&sample);
    return sample;
}

/* Between two samples only `high` tells of a peak: here is when it was, and of what. */
static bool put_peak(struct series *series, const struct trace_peak *peak)
{
    size_t at = 0;
    while (at < series->count && series->samples[at].time_us < peak->time_us)
        at++;
    if (at == 0 || at == series->count || series->samples[at].time_us == peak->time_us)
        return true;
    struct trace_sample *grown =
        realloc(series->samples, (series->count + 1) * sizeof *series->samples);
    if (!grown)
        return false;
    series->samples = grown;
    struct trace_sample sample = series_between(&grown[at - 1], &grown[at], peak->time_us);
    sample.python = peak->python;
    sample.native = peak->native;
    sample.high = series_live(&sample);
    if (grown[at].high >= sample.high) /* it spoke of this peak; of the rest nothing is known */
        grown[at].high = series_live(&grown[at]);
    memmove(&grown[at + 1], &grown[at], (series->count - at) * sizeof *grown);
    grown[at] = sample;
    series->count++;
    return true;
}

/* Of a fall `high` gives the height it began at, which the sample before has shown: only what is
   above both says more than they do. */
static void keep_spikes(struct series *series)
{
    uint64_t before = 0;
    for (size_t i = 0; i < series->count; i++) {
        struct trace_sample *sample = &series->samples[i];
        uint64_t live = series_live(sample);
        if (sample->high <= before || sample->high < live)
            sample->high = live;
        before = live;
    }
}

static bool bracketed(struct series *series, const struct trace *trace, uint32_t process)
{
    const struct trace_timeline *timeline = &trace->timelines[process];
    const struct trace_process *about = &trace->processes[process];
    if (!allocate(series, timeline->count + 2))
        return false;
    if (!timeline->count)
        return true;
    if (timeline->samples[0].time_us > about->start_us)
        add(series, &(struct trace_sample){.time_us = about->start_us});
    uint64_t last = 0;
    for (size_t i = 0; i < timeline->count; i++)
        if (timeline->samples[i].time_us >= last) /* a damaged file may go back */
            last = add(series, &timeline->samples[i])->time_us;
    keep_spikes(series);
    struct trace_sample end = series->samples[series->count - 1];
    if (about->ended && about->end_us > end.time_us) {
        end.time_us = about->end_us;
        end.high = series_live(&end);
        add(series, &end);
    }
    return true;
}

bool series_of_process(struct series *series, const struct trace *trace, uint32_t process)
{
    const struct trace_peak *peak = &trace->peaks[process];
    if (!peak->present && trace->n_processes == 2)
        peak = &trace->peaks[0];
    if (bracketed(series, trace, process) && (!peak->present || put_peak(series, peak)))
        return true;
    series_free(series);
    return false;
}

/* One process has other values from this moment on. */
struct event {
    uint64_t time_us;
    size_t process;                    /* index into the processes summed */
    const struct trace_sample *sample; /* NULL: it has ended */
};

static int by_time(const void *left, const void *right)
{
    const struct event *a = left, *b = right;
    if (a->time_us != b->time_us)
        return a->time_us < b->time_us ? -1 : 1;
    if (!a->sample != !b->sample)
        return a->sample ? -1 : 1;
    if (a->process != b->process)
        return a->process < b->process ? -1 : 1;
    return (a->sample > b->sample) - (a->sample < b->sample);
}

static size_t collect_events(struct event *events, const struct series *parts, size_t n)
{
    uint64_t end = 0;
    size_t count = 0;
    for (size_t p = 0; p < n; p++)
        if (parts[p].count && parts[p].samples[parts[p].count - 1].time_us > end)
            end = parts[p].samples[parts[p].count - 1].time_us;
    for (size_t p = 0; p < n; p++) {
        for (size_t i = 0; i < parts[p].count; i++)
            events[count++] = (struct event){parts[p].samples[i].time_us, p, &parts[p].samples[i]};
        if (parts[p].count && events[count - 1].time_us < end) {
            events[count] = (struct event){events[count - 1].time_us, p, NULL};
            count++;
        }
    }
    qsort(events, count, sizeof *events, by_time);
    return count;
}

/* Moves the total from what a process had to what it has. */
static void change(
    struct trace_sample *total, const struct trace_sample *had, const struct trace_sample *has)
{
    total->rss += has->rss - had->rss;
    total->python += has->python - had->python;
    total->native += has->native - had->native;
    total->mapped += has->mapped - had->mapped;
    total->arenas += has->arenas - had->arenas;
}

/* Processes are sampled one after the other: what is this near belongs together. */
enum { SAME_MOMENT_US = 1000 };

/* The end of the events that make one point of the sum: of one moment and one kind, no process
   twice. */
static size_t group_end(const struct event *events, size_t count, size_t from, size_t *group_of)
{
    size_t to = from;
    while (to < count && events[to].time_us - events[from].time_us <= SAME_MOMENT_US &&
           !events[to].sample == !events[from].sample && group_of[events[to].process] != from + 1)
        group_of[events[to++].process] = from + 1;
    return to;
}

static void sum_events(struct series *sum, const struct event *events, size_t count,
    const struct trace_sample **now, size_t *group_of)
{
    static const struct trace_sample nothing;
    struct trace_sample total = {0};
    for (size_t from = 0, to; from < count; from = to) {
        uint64_t extra = 0;
        to = group_end(events, count, from, group_of);
        for (size_t i = from; i < to; i++) {
            const struct trace_sample *has = events[i].sample ? events[i].sample : &nothing;
            if (has->high > series_live(has) && has->high - series_live(has) > extra)
                extra = has->high - series_live(has);
            change(&total, now[events[i].process], has);
            now[events[i].process] = has;
        }
        total.time_us = events[to - 1].time_us;
        total.high = series_live(&total) + extra;
        add(sum, &total);
    }
}

static bool sum_parts(struct series *sum, const struct series *parts, size_t n)
{
    static const struct trace_sample nothing;
    size_t count = 0;
    for (size_t p = 0; p < n; p++)
        count += parts[p].count + 1;
    struct event *events = calloc(count + 1, sizeof *events);
    const struct trace_sample **now = calloc(n + 1, sizeof *now);
    size_t *group_of = calloc(n + 1, sizeof *group_of);
    bool good = events && now && group_of && allocate(sum, count);
    if (good) {
        for (size_t p = 0; p < n; p++)
            now[p] = &nothing;
        sum_events(sum, events, collect_events(events, parts, n), now, group_of);
    }
    free(events);
    free(now);
    free(group_of);
    return good;
}

/* RSS becomes PSS: less what others have as well, as last read; before it was first read by the
   part that it was then. */
static void make_proportional(struct series *part, const struct trace_timeline *timeline)
{
    const struct trace_share *share = timeline->shares, *end = share + timeline->n_shares;
    for (size_t i = 0; i < part->count; i++) {
        struct trace_sample *sample = &part->samples[i];
        while (share + 1 < end && share[1].time_us <= sample->time_us)
            share++;
        uint64_t elsewhere = share->rss > share->pss ? share->rss - share->pss : 0;
        if (sample->time_us < share->time_us && sample->rss < share->rss)
            elsewhere = (uint64_t)((double)elsewhere * (double)sample->rss / (double)share->rss);
        sample->rss -= elsewhere < sample->rss ? elsewhere : sample->rss;
    }
}

bool series_of_some(
    struct series *series, const struct trace *trace, const uint32_t *processes, size_t n)
{
    struct series *parts = calloc(n + 1, sizeof *parts);
    bool good = parts != NULL;
    *series = (struct series){0};
    for (size_t p = 0; good && p < n; p++)
        good = bracketed(&parts[p], trace, processes[p]);
    for (size_t p = 0; good && n > 1 && p < n; p++)
        if (trace->timelines[processes[p]].n_shares) {
            make_proportional(&parts[p], &trace->timelines[processes[p]]);
            series->proportional = true;
        }
    good = good && sum_parts(series, parts, n);
    for (size_t p = 0; parts && p < n; p++)
        series_free(&parts[p]);
    free(parts);
    return good;
}

bool series_of_all(struct series *series, const struct trace *trace)
{
    *series = (struct series){0};
    if (trace->n_processes == 2)
        return series_of_process(series, trace, 1);
    uint32_t *all = calloc(trace->n_processes, sizeof *all);
    if (!all)
        return false;
    for (uint32_t p = 1; p < trace->n_processes; p++)
        all[p - 1] = p;
    bool good = series_of_some(series, trace, all, trace->n_processes - 1);
    free(all);
    const struct trace_peak *peak = &trace->peaks[0];
    if (good && peak->present) {
        for (size_t i = 0; i < series->count; i++) /* what others did meanwhile is a guess */
            if (series->samples[i].high > peak->python + peak->native)
                series->samples[i].high = peak->python + peak->native;
        good = put_peak(series, peak);
    }
    if (!good)
        series_free(series);
    return good;
}

bool series_of_selected(struct series *series, const struct trace *trace, const bool *selected)
{
    uint32_t *some = calloc(trace->n_processes, sizeof *some);
    size_t n = 0;
    *series = (struct series){0};
    for (uint32_t p = 1; some && p < trace->n_processes; p++)
        if (selected[p])
            some[n++] = p;
    bool good = some != NULL;
    if (good && n + 1 == trace->n_processes)
        good = series_of_all(series, trace);
    else if (good && n == 1)
        good = series_of_process(series, trace, some[0]);
    else if (good)
        good = series_of_some(series, trace, some, n);
    free(some);
    return good;
}
