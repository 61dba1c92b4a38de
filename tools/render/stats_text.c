/*
 * `stats` for people.  Runs in the tools.
 */
#include "render/stats.h"

#include <stdlib.h>
#include <string.h>

#include "render/look.h"
#include "render/top.h"

uint64_t stats_low(unsigned bits)
{
    return bits ? 1ull << (bits - 1) : 0;
}

uint64_t stats_high(unsigned bits)
{
    return bits > 63 ? UINT64_MAX : (1ull << bits) - 1;
}

static double share(double part, double whole)
{
    return whole > 0 ? 100 * part / whole : 0;
}

/* `   81,000/s`, nothing if no time passed. */
static void print_rate(FILE *file, const struct stats *stats, int64_t count)
{
    char rate[FORMAT_SIZE];
    double seconds = (double)stats->totals->seconds_us / 1e6;
    if (seconds > 0)
        fprintf(file, "  %11s/s", format_count(rate, format_whole((double)count / seconds)));
}

static void print_flow(FILE *file, const struct stats *stats, const char *name, int64_t count,
    int64_t bytes, int64_t error)
{
    char text[FORMAT_SIZE], number[FORMAT_SIZE], size[FORMAT_SIZE], rate[FORMAT_SIZE];
    double seconds = (double)stats->totals->seconds_us / 1e6;
    enum units units = stats->report->options.units;
    fprintf(file, "%-13s%15s", name, format_count(number, count));
    print_rate(file, stats, count);
    fprintf(file, "  %10s%s", format_total(size, bytes, units),
        format_total_error(text, error, bytes, units));
    if (seconds > 0)
        fprintf(file, "  %10s/s", format_total(rate, format_whole((double)bytes / seconds), units));
    fputc('\n', file);
}

static void print_temporary(FILE *file, const struct stats *stats)
{
    const struct totals_part *all = &stats->totals->all;
    char number[FORMAT_SIZE];
    if (!stats->totals->has_sizes || stats->report->trace.sample_bytes)
        return;
    fprintf(file, "%-13s%15s", "temporary", format_count(number, (int64_t)all->temporary));
    print_rate(file, stats, (int64_t)all->temporary);
    fprintf(file, "  %9.1f%%\n", share((double)all->temporary, (double)all->counted));
}

static void print_summary(FILE *file, const struct stats *stats)
{
    const struct totals *totals = stats->totals;
    const struct trace_peak *peak = totals->view.peak;
    enum units units = stats->report->options.units;
    char size[FORMAT_SIZE], error[FORMAT_SIZE], time[FORMAT_SIZE], count[FORMAT_SIZE];
    fprintf(file, "%-13s%15s\n", "time", format_time(time, totals->seconds_us));
    print_flow(file, stats, "allocations", totals->all.allocations, totals->all.allocated,
        totals->all.allocated_error);
    print_flow(file, stats, "frees", totals->all.frees, totals->all.freed, totals->all.freed_error);
    print_temporary(file, stats);
    if (peak->present && !totals->view.excluded.count)
        fprintf(file, "%-13s%15s  at %s, %s blocks\n", "peak live",
            format_total(size, (int64_t)(peak->python + peak->native), units),
            format_time(time, peak->time_us), format_count(count, (int64_t)peak->blocks));
    if (totals->peak_rss)
        fprintf(
            file, "%-13s%15s\n", totals->proportional ? "peak PSS" : "peak RSS",
            format_total(size, (int64_t)totals->peak_rss, units));
    fprintf(file, "%-13s%15s%s  %s block%s\n", "held", format_total(size, totals->all.live, units),
        format_total_error(error, totals->all.live_error, totals->all.live, units),
        format_count(count, totals->all.blocks), totals->all.blocks == 1 ? "" : "s");
}

static bool is_empty(const struct totals_part *part)
{
    return !part->allocations && !part->allocated && !part->counted;
}

static void print_domains(FILE *file, const struct stats *stats)
{
    enum units units = stats->report->options.units;
    char allocations[FORMAT_SIZE], allocated[FORMAT_SIZE], live[FORMAT_SIZE], blocks[FORMAT_SIZE];
    fprintf(file, "\n%-8s%15s  %10s  %9s  %10s  %13s\n", "domain", "allocations", "allocated",
        "temporary", "held", "blocks");
    for (int domain = 0; domain < MT_DOMAINS; domain++) {
        const struct totals_part *part = &stats->totals->domains[domain];
        char temporary[32] = "";
        if (is_empty(part))
            continue;
        if (part->counted && !stats->report->trace.sample_bytes)
            snprintf(temporary, sizeof temporary, "%.1f%%",
                share((double)part->temporary, (double)part->counted));
        fprintf(file, "%-8s%15s  %10s  %9s  %10s  %13s\n", domain_names[domain],
            format_count(allocations, part->allocations),
            format_total(allocated, part->allocated, units), temporary,
            format_total(live, part->live, units), format_count(blocks, part->blocks));
    }
}

/* "0 B", "32 to 63 B", "1 to 2 KiB", "512 KiB to 1 MiB". */
static char *range_words(char *words, size_t room, unsigned bits)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    unsigned low = bits ? bits - 1 : 0, high = bits;
    if (bits <= 1)
        snprintf(words, room, "%u B", bits);
    else if (bits < 10)
        snprintf(words, room, "%u to %u B", 1u << low, (1u << high) - 1);
    else if (low / 10 == high / 10)
        snprintf(words, room, "%u to %u %s", 1u << low % 10, 1u << high % 10, units[low / 10]);
    else
        snprintf(words, room, "%u %s to %u %s", 1u << low % 10, units[low / 10], 1u << high % 10,
            high < 64 ? units[high / 10] : "EiB");
    return words;
}

static void print_bar(FILE *file, const struct look *look, double part)
{
    enum { WIDTH = 30 };
    int n = (int)(part * WIDTH + 0.5);
    fputs(n ? "  " : "", file);
    for (int i = 0; i < n; i++)
        fputs(look->utf8 ? "\xe2\x96\x88" : "#", file);
}

static void print_sizes(FILE *file, const struct stats *stats)
{
    const struct totals_part *all = &stats->totals->all;
    struct look look = look_of(file);
    unsigned first = TOTALS_BITS, last = 0;
    uint64_t most = 1;
    char words[40], count[FORMAT_SIZE];
    for (unsigned bits = 0; bits < TOTALS_BITS; bits++) {
        if (!all->sizes[bits])
            continue;
        first = first < bits ? first : bits;
        last = bits;
        most = all->sizes[bits] > most ? all->sizes[bits] : most;
    }
    if (first == TOTALS_BITS)
        return;
    fprintf(file, "\n%16s  %15s\n", "size", "allocations");
    for (unsigned bits = first; bits <= last; bits++) {
        fprintf(file, "%16s  %15s  %5.1f%%", range_words(words, sizeof words, bits),
            format_count(count, (int64_t)all->sizes[bits]),
            share((double)all->sizes[bits], (double)all->counted));
        print_bar(file, &look, (double)all->sizes[bits] / (double)most);
        fputc('\n', file);
    }
}

static void print_ranking(
    FILE *file, const struct stats *stats, const char *title, const struct view *view)
{
    enum units units = stats->report->options.units;
    size_t shown = top_rows(stats->report, view);
    char size[FORMAT_SIZE], count[FORMAT_SIZE];
    if (!shown)
        return;
    fprintf(file, "\n%s\n", title);
    for (size_t i = 0; i < shown; i++) {
        const struct view_row *row = &view->rows[i];
        int64_t part = view->options->sort == VIEW_CHURN_SIZE ? view->total.allocated
                                                              : view->total.allocations;
        fprintf(file, "#%zu: ", i + 1);
        print_row_name(file, stats->report, row);
        fprintf(file, ": %s  %s allocation%s  %.1f%%\n",
            format_size(size, row->amount.allocated, units),
            format_count(count, row->amount.allocations), row->amount.allocations == 1 ? "" : "s",
            share((double)row->metric, (double)part));
    }
}

void stats_text(FILE *file, const struct stats *stats)
{
    print_heading(file, stats->report, &stats->totals->view);
    fputc('\n', file);
    print_summary(file, stats);
    print_domains(file, stats);
    print_sizes(file, stats);
    print_ranking(file, stats, "Most allocated, by size", stats->rankings[STATS_BY_SIZE]);
    print_ranking(file, stats, "Most allocated, by count", stats->rankings[STATS_BY_COUNT]);
}
