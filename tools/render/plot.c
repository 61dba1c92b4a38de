/*
 * From a trace to what a plot shows.  Runs in reports.
 */
#include "render/plot.h"

#include <stdlib.h>
#include <string.h>

#include "render/plot_words.h"
#include "trace/processes.h"

static uint64_t largest(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t highest_rss(const struct series *series)
{
    uint64_t highest = 0;
    for (size_t i = 0; i < series->count; i++)
        highest = largest(highest, series->samples[i].rss);
    return highest;
}

static bool within(const struct plot *plot, uint64_t time_us)
{
    return time_us >= plot->from_us && time_us <= plot->to_us;
}

/* Cuts a series to what is shown. */
static bool fit(struct series *series, const struct plot *plot, size_t points)
{
    if (!series_window(series, plot->from_us, plot->to_us))
        return false;
    series_thin(series, points);
    return true;
}

struct ranked {
    uint32_t process;
    bool small;
    uint64_t rss;
};

static int by_rss(const void *left, const void *right)
{
    const struct ranked *a = left, *b = right;
    if (a->small != b->small)
        return a->small ? 1 : -1;
    if (a->rss != b->rss)
        return a->rss > b->rss ? -1 : 1;
    return (a->process > b->process) - (a->process < b->process);
}

static int by_process(const void *left, const void *right)
{
    const struct ranked *a = left, *b = right;
    return (a->process > b->process) - (a->process < b->process);
}

/* Processes that have samples, the largest first; the shells and tools around them last. */
static struct ranked *rank_processes(
    const struct trace *trace, const bool *selected, size_t *count, size_t *n_large)
{
    struct ranked *ranked = calloc(trace->n_processes, sizeof *ranked);
    bool *folded = calloc(trace->n_processes, sizeof *folded);
    *count = *n_large = 0;
    if (folded)
        processes_fold(trace, selected, folded);
    for (uint32_t p = 1; ranked && p < trace->n_processes; p++) {
        if (!selected[p])
            continue;
        const struct trace_timeline *timeline = &trace->timelines[p];
        struct series whole = {.samples = timeline->samples, .count = timeline->count};
        if (!timeline->count)
            continue;
        bool small = folded && folded[p];
        ranked[(*count)++] = (struct ranked){p, small, highest_rss(&whole)};
        *n_large += !small;
    }
    if (ranked)
        qsort(ranked, *count, sizeof *ranked, by_rss);
    free(folded);
    return ranked;
}

/* How many of them get a line of their own, in the order of their start then: not those that would
   lie on the axis. */
static size_t choose_own(struct ranked *ranked, size_t count)
{
    size_t own = 0;
    while (own < count && ranked[own].small == ranked[0].small &&
           ranked[own].rss >= ranked[0].rss / 20)
        own++;
    if (own + 1 == count)
        own = count;
    if (own + (own < count) > PLOT_LINES)
        own = PLOT_LINES - 1;
    qsort(ranked, own, sizeof *ranked, by_process);
    return own;
}

static bool add_others(struct plot *plot, const struct ranked *ranked, size_t count)
{
    struct plot_line *line = &plot->lines[plot->n_lines++];
    uint32_t *others = calloc(count, sizeof *others);
    for (size_t i = 0; others && i < count; i++)
        others[i] = ranked[i].process;
    bool good = others && series_of_some(&line->series, plot->trace, others, count);
    snprintf(line->name, sizeof line->name, "%zu others", count);
    free(others);
    return good;
}

static bool add_lines(struct plot *plot, const bool *selected, size_t points)
{
    size_t count, n_large;
    struct ranked *ranked = rank_processes(plot->trace, selected, &count, &n_large);
    bool good = ranked != NULL;
    if (count > 1 && n_large != 1) {
        size_t own = choose_own(ranked, count);
        for (size_t i = 0; good && i < own; i++) {
            struct plot_line *line = &plot->lines[plot->n_lines++];
            plot_process_name(line->name, sizeof line->name, plot->trace, ranked[i].process);
            good = series_of_some(&line->series, plot->trace, &ranked[i].process, 1);
        }
        if (good && count > own)
            good = add_others(plot, ranked + own, count - own);
    }
    for (size_t i = 0; good && i < plot->n_lines; i++)
        good = fit(&plot->lines[i].series, plot, points / 4);
    free(ranked);
    return good;
}

/* The exact peak of one process or of all; of some there is none. */
static struct series_peak known_peak(
    const struct trace *trace, const bool *selected, size_t n_selected)
{
    if (n_selected + 1 == trace->n_processes)
        return series_peak(trace, 0);
    for (uint32_t p = 1; n_selected == 1 && p < trace->n_processes; p++)
        if (selected[p])
            return series_peak(trace, p);
    return (struct series_peak){0};
}

static void find_peak(struct plot *plot, const bool *selected, size_t n_selected)
{
    struct series_peak *peak = &plot->peak;
    *peak = known_peak(plot->trace, selected, n_selected);
    plot->peak_split = peak->present;
    if (!peak->present) /* a trace cut off before its first peak was written */
        for (size_t i = 0; i < plot->total.count; i++) {
            const struct trace_sample *sample = &plot->total.samples[i];
            uint64_t high = largest(series_live(sample), sample->high);
            if (!peak->present || high > peak->python + peak->native)
                *peak = (struct series_peak){
                    true, sample->time_us, sample->python, high - sample->python};
        }
    bool known = peak->python + peak->native; /* not of what was imported */
    if (!known || !within(plot, peak->time_us))
        peak->present = plot->peak_split = false;
}

uint64_t plot_error_of(const struct plot *plot, uint64_t time_us)
{
    int64_t error = errors_at(&plot->errors, time_us);
    return error > 0 ? (uint64_t)error : 0;
}

void plot_peak_text(const struct plot *plot, bool utf8, char text[PLOT_PEAK])
{
    const struct series_peak *peak = &plot->peak;
    char size[32], error[32] = "", time[32];
    plot_size(size, peak->python + peak->native, plot->units);
    if (plot->errors.count)
        plot_size(error, plot_error_of(plot, peak->time_us), plot->units);
    snprintf(text, PLOT_PEAK, "peak %s%s%s at %s", size,
        !*error ? ""
        : utf8  ? " ± "
                : " +/- ",
        error, plot_time(time, peak->time_us));
}

static void find_extent(struct plot *plot)
{
    uint64_t spike = 0;
    plot->proportional = plot->total.proportional;
    for (size_t i = 0; i < plot->total.count; i++) {
        const struct trace_sample *sample = &plot->total.samples[i];
        plot->max_rss = largest(plot->max_rss, sample->rss);
        uint64_t most = series_live(sample) + plot_error_of(plot, sample->time_us);
        plot->max_live = largest(plot->max_live, largest(most, sample->high));
        plot->max_mapped = largest(plot->max_mapped, sample->mapped);
        if (sample->high > series_live(sample))
            spike = largest(spike, sample->high - series_live(sample));
    }
    if (plot->peak.present)
        plot->max_live = largest(plot->max_live, plot->peak.python + plot->peak.native);
    uint64_t most = largest(plot->max_rss, plot->max_live);
    plot->mapped_shown = plot->max_mapped > most / 20;
    plot->spikes_shown = spike > most / 100;
    plot->mapped_shown &= !plot->stacked;
    plot->spikes_shown &= !plot->stacked;
    if (plot->mapped_shown && plot->max_mapped < most + most / 2)
        most = largest(most, plot->max_mapped); /* a larger one leaves the picture */
    most = largest(most + most / 8, 8);
    if (plot->limit && plot->limit < 2 * most)
        most = largest(most, plot->limit + plot->limit / 12);
    else
        plot->limit = 0; /* far away: all else would lie on the axis */
    /* Bands have lanes above all that is drawn. */
    plot->top = (uint64_t)((double)most / (1 - 0.05 * plot->n_lanes));
}

void plot_choose_units(struct plot *plot)
{
    static const struct plot_unit sizes[] = {
        {1, "B"}, {1024, "KiB"}, {1048576, "MiB"}, {1073741824, "GiB"}, {1099511627776, "TiB"}};
    static const struct plot_unit times[] = {{1e3, "ms"}, {1e6, "s"}, {60e6, "min"}, {3600e6, "h"}};
    uint64_t end_us = plot->to_us;
    size_t unit = 0;
    while (unit < 4 && (double)plot->top >= 1.4 * sizes[unit + 1].size)
        unit++;
    if (plot->units != UNITS_AUTO)
        unit = plot->units == UNITS_KIB;
    plot->size_unit = sizes[unit];
    plot->time_unit = times[end_us < 1000000       ? 0
                            : end_us < 180000000   ? 1
                            : end_us < 10800000000 ? 2
                                                   : 3];
}

static bool take_window(struct plot *plot, const struct plot_options *options)
{
    plot->from_us = 0;
    plot->to_us = plot->total.samples[plot->total.count - 1].time_us;
    if (!options->windowed)
        return true;
    if (options->from_s * 1e6 >= (double)plot->to_us)
        return false;
    plot->from_us = (uint64_t)(options->from_s * 1e6);
    if (options->to_s * 1e6 < (double)plot->to_us)
        plot->to_us = (uint64_t)(options->to_s * 1e6);
    return true;
}

/* The first fifth of what is shown is warm-up. */
static void find_slope(struct plot *plot)
{
    plot->slope = series_slope(&plot->total, plot->from_us + (plot->to_us - plot->from_us) / 5);
}

static enum plot_error make_series(
    struct plot *plot, const struct plot_options *options, const bool *selected, size_t n_selected)
{
    if (!series_of_selected(&plot->total, plot->trace, selected))
        return PLOT_ERROR_MEMORY;
    if (!plot->total.count)
        return PLOT_ERROR_EMPTY;
    if (!take_window(plot, options))
        return PLOT_ERROR_WINDOW;
    if (plot->to_us <= plot->from_us)
        return options->windowed ? PLOT_ERROR_WINDOW : PLOT_ERROR_EMPTY;
    find_peak(plot, selected, n_selected);
    plot->errors = errors_make(plot->trace, selected);
    if (!series_window(&plot->total, plot->from_us, plot->to_us))
        return PLOT_ERROR_MEMORY;
    if (options->slope)
        find_slope(plot);
    series_thin(&plot->total, options->points);
    if (!options->sum && !options->stacked && !add_lines(plot, selected, options->points))
        return PLOT_ERROR_MEMORY;
    return plot->total.count ? PLOT_OK : PLOT_ERROR_WINDOW;
}

static enum plot_error make(
    struct plot *plot, const struct report *report, const struct plot_options *options)
{
    const struct trace *trace = plot->trace;
    bool *selected = calloc(trace->n_processes, sizeof *selected);
    if (!selected)
        return PLOT_ERROR_MEMORY;
    size_t n = filter_processes(&report->options.view.filter, trace, selected);
    enum plot_error error = !n ? PLOT_ERROR_PROCESS : make_series(plot, options, selected, n);
    free(selected);
    return error;
}

enum plot_error plot_make(
    struct plot *plot, const struct report *report, const struct plot_options *options)
{
    const struct trace *trace = &report->trace;
    *plot = (struct plot){.trace = trace, .units = options->units};
    if (trace->n_processes < 2)
        return PLOT_ERROR_EMPTY;
    enum plot_error error = make(plot, report, options);
    if (error == PLOT_OK)
        error = plot_add_extras(plot, report, options);
    if (error != PLOT_OK)
        return error;
    find_extent(plot);
    plot_choose_units(plot);
    plot->title = options->title ? strdup(options->title) : plot_command(trace, 400);
    plot->subtitle = plot_subtitle(trace);
    return plot->title && plot->subtitle ? PLOT_OK : PLOT_ERROR_MEMORY;
}

void plot_free(struct plot *plot)
{
    free(plot->title);
    free(plot->subtitle);
    free(plot->marks);
    free(plot->bands);
    free(plot->stack_names);
    stack_free(&plot->stack);
    series_free(&plot->total);
    errors_free(&plot->errors);
    for (size_t i = 0; i < PLOT_LINES; i++)
        series_free(&plot->lines[i].series);
    *plot = (struct plot){0};
}
