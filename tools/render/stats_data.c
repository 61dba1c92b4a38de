/*
 * `stats` for programs: described in memtrace-stats(1).  Runs in the tools.
 */
#include "render/stats.h"

#include "render/csv.h"
#include "render/parts_json.h"
#include "render/top.h"

static void put_part(struct json *json, const struct stats *stats, const struct totals_part *part)
{
    json_number(json, "allocations", part->allocations);
    json_number(json, "allocated", part->allocated);
    json_number(json, "frees", part->frees);
    json_number(json, "freed", part->freed);
    json_number(json, "size", part->live);
    json_number(json, "count", part->blocks);
    if (json->samples) {
        json_number(json, "size_error", part->live_error);
        json_number(json, "allocated_error", part->allocated_error);
        json_number(json, "freed_error", part->freed_error);
    }
    if (stats->totals->has_sizes) {
        if (!json->samples)
            json_number(json, "temporary", (int64_t)part->temporary);
        json_number(json, "counted", (int64_t)part->counted);
    }
}

static void put_domains(struct json *json, const struct stats *stats)
{
    json_open(json, "domains", '[');
    for (int domain = 0; domain < MT_DOMAINS; domain++) {
        const struct totals_part *part = &stats->totals->domains[domain];
        if (!part->allocations && !part->counted)
            continue;
        json_open(json, NULL, '{');
        json_name(json, "domain", domain_names[domain]);
        put_part(json, stats, part);
        json_close(json, '}');
    }
    json_close(json, ']');
}

static void put_sizes(struct json *json, const struct stats *stats)
{
    const struct totals *totals = stats->totals;
    if (!totals->has_sizes)
        return;
    json_open(json, "sizes", '[');
    for (unsigned bits = 0; bits < TOTALS_BITS; bits++) {
        if (!totals->all.sizes[bits])
            continue;
        json_open(json, NULL, '{');
        json_number(json, "from", (int64_t)stats_low(bits));
        json_number(json, "to", (int64_t)(stats_high(bits) & INT64_MAX));
        json_number(json, "allocations", (int64_t)totals->all.sizes[bits]);
        json_close(json, '}');
    }
    json_close(json, ']');
}

static void put_ranking(
    struct json *json, const struct stats *stats, const char *name, const struct view *view)
{
    json_open(json, name, '[');
    for (size_t i = 0; i < top_rows(stats->report, view); i++) {
        json_open(json, NULL, '{');
        json_row(json, stats->report, &view->rows[i]);
        json_close(json, '}');
    }
    json_close(json, ']');
}

void stats_json(FILE *file, const struct stats *stats)
{
    const struct totals *totals = stats->totals;
    const struct trace_peak *peak = totals->view.peak;
    struct json json = {.file = file};
    json_begin_report(&json, stats->report, &totals->view);
    json_seconds(&json, "seconds", (double)totals->seconds_us / 1e6);
    put_part(&json, stats, &totals->all);
    if (peak->present) {
        json_open(&json, "peak", '{');
        json_number(&json, "size", (int64_t)(peak->python + peak->native));
        json_number(&json, "count", (int64_t)peak->blocks);
        json_seconds(&json, "seconds", (double)peak->time_us / 1e6);
        json_close(&json, '}');
    }
    json_number(&json, totals->proportional ? "peak_pss" : "peak_rss", (int64_t)totals->peak_rss);
    put_domains(&json, stats);
    put_sizes(&json, stats);
    put_ranking(&json, stats, "by_size", stats->rankings[STATS_BY_SIZE]);
    put_ranking(&json, stats, "by_count", stats->rankings[STATS_BY_COUNT]);
    json_excluded(&json, &totals->view);
    json_close(&json, '}');
}

/* The histogram: the one table that is for a spreadsheet. */
void stats_csv(FILE *file, const struct stats *stats)
{
    static const char *const columns[] = {"from", "to", "allocations"};
    struct csv csv = {.file = file};
    for (size_t i = 0; i < 3; i++)
        csv_text(&csv, columns[i]);
    for (int domain = 0; domain <= MT_DOMAIN_MALLOC; domain++)
        csv_text(&csv, domain_names[domain]);
    csv_end_line(&csv);
    for (unsigned bits = 0; bits < TOTALS_BITS; bits++) {
        if (!stats->totals->all.sizes[bits])
            continue;
        csv_number(&csv, (int64_t)stats_low(bits));
        csv_number(&csv, (int64_t)(stats_high(bits) & INT64_MAX));
        csv_number(&csv, (int64_t)stats->totals->all.sizes[bits]);
        for (int domain = 0; domain <= MT_DOMAIN_MALLOC; domain++)
            csv_number(&csv, (int64_t)stats->totals->domains[domain].sizes[bits]);
        csv_end_line(&csv);
    }
}
