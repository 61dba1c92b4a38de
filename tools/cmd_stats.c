/*
 * `memtrace stats`: what a program did with memory in all.
 */
#include "commands.h"

#include <argp.h>

#include "render/moments.h"
#include "render/output.h"
#include "render/report.h"
#include "render/stats.h"

static error_t parse(int key, char *text, struct argp_state *state)
{
    if (key != ARGP_KEY_INIT)
        return ARGP_ERR_UNKNOWN;
    state->child_inputs[0] = state->input;
    return 0;
}

static const struct argp_child children[] = {{&report_argp, 0, NULL, 0}, {0}};
static const struct argp argp = {.parser = parse,
    .args_doc = "[TRACE]",
    .doc = "What a program did with memory in all: allocations, their sizes and rates, by domain, "
           "and who allocates most.",
    .children = children};

static int print(const struct stats *stats)
{
    FILE *file = output_open(stats->report->options.output);
    if (!file)
        return 1;
    if (stats->report->options.format == FORMAT_JSON)
        stats_json(file, stats);
    else if (stats->report->options.format == FORMAT_CSV)
        stats_csv(file, stats);
    else
        stats_text(file, stats);
    return 0;
}

/* The rankings are views of their own: by what was ever allocated. */
static int rank_and_print(const struct report *report, const struct totals *totals)
{
    static const enum view_sort sorts[STATS_RANKINGS] = {VIEW_CHURN_SIZE, VIEW_CHURN_COUNT};
    struct view_options options[STATS_RANKINGS];
    struct view views[STATS_RANKINGS];
    struct stats stats = {.report = report, .totals = totals};
    for (int i = 0; i < STATS_RANKINGS; i++) {
        options[i] = report->options.view;
        options[i].sort = sorts[i];
        view_again(&views[i], &totals->view, &options[i]);
        stats.rankings[i] = &views[i];
    }
    int status = print(&stats);
    for (int i = 0; i < STATS_RANKINGS; i++)
        view_free(&views[i]);
    return status;
}

int cmd_stats(int argc, char **argv)
{
    struct report report;
    struct totals totals;
    report_defaults(&report.options);
    report.options.view.limit = 5;
    if (argp_parse(&argp, argc, argv, 0, NULL, &report.options))
        return 2;
    if (!report_open(&report))
        return 1;
    int status = 1;
    enum view_error failed = totals_make(&totals, &report.trace, &report.options.view);
    if (failed == VIEW_OK) {
        explain_empty(&totals.view);
        status = rank_and_print(&report, &totals);
    } else
        explain_view(&report, &totals.view, failed);
    totals_free(&totals);
    report_close(&report);
    return status;
}
