/*
 * Sums over sites and histograms (totals.h).  Runs in reports.
 */
#include "trace/totals.h"

#include "trace/series.h"
#include "trace/weight.h"

static void add(int64_t *sum, int64_t more)
{
    *sum = (int64_t)((uint64_t)*sum + (uint64_t)more);
}

static void add_amount(struct totals_part *part, const struct view_amount *amount)
{
    add(&part->allocations, amount->allocations);
    add(&part->allocated, amount->allocated);
    add(&part->live, amount->size);
    add(&part->blocks, amount->count);
    add(&part->spread, amount->spread);
    add(&part->allocated_spread, amount->allocated_spread);
    part->frees = (int64_t)((uint64_t)part->allocations - (uint64_t)part->blocks);
    part->freed = (int64_t)((uint64_t)part->allocated - (uint64_t)part->live);
}

static void add_sites(struct totals *totals)
{
    const struct view *view = &totals->view;
    for (size_t i = 1; i < view->trace->n_sites; i++) {
        int domain = view->trace->sites[i].domain;
        struct view_amount amount = view_amount_of_site(view, i);
        if (!view->sites[i])
            continue;
        add_amount(&totals->domains[domain], &amount);
        if (domain_is_live(domain))
            add_amount(&totals->all, &amount);
    }
}

static void set_errors(struct totals *totals)
{
    uint64_t interval = totals->view.trace->sample_bytes;
    for (int domain = 0; domain <= MT_DOMAINS; domain++) {
        struct totals_part *part = domain < MT_DOMAINS ? &totals->domains[domain] : &totals->all;
        part->live_error = weight_error(part->spread, interval);
        part->freed_error = weight_error(part->allocated_spread - part->spread, interval);
        part->allocated_error = weight_error(part->allocated_spread, interval);
    }
}

static void add_counts(struct totals_part *part, const struct trace_counts *counts)
{
    part->temporary += counts->temporary;
    for (size_t bits = 0; bits < counts->n; bits++) {
        part->sizes[bits] += counts->counts[bits];
        part->counted += counts->counts[bits];
    }
}

static bool is_whole(const struct view *view)
{
    const struct filter *filter = &view->options->filter;
    return view->at.kind == MOMENT_END && !view->options->interval && !filter->n_patterns &&
           !filter->n_threads;
}

static void add_sizes(struct totals *totals)
{
    const struct view *view = &totals->view;
    for (size_t p = 1; p < view->trace->n_processes; p++) {
        const struct trace_sizes *sizes = view->trace->sizes[p];
        if (!view->processes[p] || !sizes)
            continue;
        totals->has_sizes = true;
        for (int domain = 0; domain < MT_DOMAINS; domain++) {
            unsigned wanted = view->options->filter.domains;
            if (wanted ? !(wanted >> domain & 1) : !domain_is_live(domain))
                continue;
            add_counts(&totals->domains[domain], &sizes->domains[domain]);
            add_counts(&totals->all, &sizes->domains[domain]);
        }
    }
}

/* Of one process what the kernel says, if it is more than what was sampled. */
static uint64_t peak_rss(const struct view *view, bool *proportional)
{
    struct series series = {0};
    uint64_t peak = 0;
    if (series_of_selected(&series, view->trace, view->processes))
        for (size_t i = 0; i < series.count; i++)
            peak = series.samples[i].rss > peak ? series.samples[i].rss : peak;
    *proportional = series.proportional;
    series_free(&series);
    for (size_t p = 1; p < view->trace->n_processes; p++)
        if (view->processes[p] && view->trace->processes[p].max_rss > peak && !*proportional)
            peak = view->trace->processes[p].max_rss;
    return peak;
}

static uint64_t first_start(const struct view *view)
{
    uint64_t first = UINT64_MAX;
    for (size_t p = 1; p < view->trace->n_processes; p++)
        if (view->processes[p] && view->trace->processes[p].start_us < first)
            first = view->trace->processes[p].start_us;
    return first;
}

static void set_times(struct totals *totals)
{
    const struct view *view = &totals->view;
    uint64_t from = view->options->interval ? view->from.time_us : first_start(view);
    totals->seconds_us = view->state.time_us > from ? view->state.time_us - from : 0;
}

enum view_error totals_make(
    struct totals *totals, const struct trace *trace, const struct view_options *options)
{
    *totals = (struct totals){0};
    enum view_error error = view_open(&totals->view, trace, options);
    if (error != VIEW_OK)
        return error;
    add_sites(totals);
    set_errors(totals);
    if (is_whole(&totals->view))
        add_sizes(totals);
    set_times(totals);
    totals->peak_rss = peak_rss(&totals->view, &totals->proportional);
    return VIEW_OK;
}

void totals_free(struct totals *totals)
{
    view_free(&totals->view);
}
