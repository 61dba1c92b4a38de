/*
 * What `mprof plot` reads: a line a sample.  Runs in the tools.
 *   CMDLINE command          MEM mib unixtime       CHLD number mib unixtime
 *   FUNC name mib unixtime mib unixtime level
 */
#include "render/export.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "render/escape.h"
#include "trace/meta.h"
#include "trace/processes.h"
#include "trace/series.h"

struct mprof {
    FILE *file;
    const struct report *report;
    const struct trace *trace;
    double start;
};

static double mib(uint64_t bytes)
{
    return (double)bytes / 1048576;
}

static double at(const struct mprof *mprof, uint64_t time_us)
{
    return mprof->start + (double)time_us / 1e6;
}

static void put_samples(const struct mprof *mprof, uint32_t process, unsigned child)
{
    const struct trace_timeline *timeline = &mprof->trace->timelines[process];
    for (size_t i = 0; i < timeline->count; i++) {
        const struct trace_sample *sample = &timeline->samples[i];
        if (child)
            fprintf(mprof->file, "CHLD %u", child);
        else
            fputs("MEM", mprof->file);
        fprintf(mprof->file, " %.6f %.4f\n", mib(sample->rss), at(mprof, sample->time_us));
    }
}

/* RSS when a region began or ended: its own numbers are of live memory. */
static double rss_at(const struct mprof *mprof, uint32_t process, uint64_t time_us)
{
    const struct trace_timeline *timeline = &mprof->trace->timelines[process];
    size_t after = 0;
    while (after < timeline->count && timeline->samples[after].time_us < time_us)
        after++;
    if (!timeline->count)
        return 0;
    if (after == timeline->count)
        return mib(timeline->samples[after - 1].rss);
    if (!after || timeline->samples[after].time_us == time_us)
        return mib(timeline->samples[after].rss);
    struct trace_sample between =
        series_between(&timeline->samples[after - 1], &timeline->samples[after], time_us);
    return mib(between.rss);
}

/* How many regions of its thread a region lies in. */
static unsigned level_of(const struct trace *trace, const struct trace_region *region)
{
    unsigned level = 0;
    for (const struct trace_region *other = region + 1; other < trace->regions + trace->n_regions;
         other++)
        level += other->process == region->process && other->thread == region->thread &&
                 other->start_us <= region->start_us && other->end_us >= region->end_us;
    return level;
}

/* Names are words there. */
static void put_word(FILE *file, const char *name)
{
    char *word = strdup(*name ? name : "_");
    if (!word)
        abort();
    for (char *at = word; *at; at++)
        *at = isspace((unsigned char)*at) ? '_' : *at;
    print_data(file, word, strlen(word));
    free(word);
}

static void put_region(const struct mprof *mprof, const struct trace_region *region)
{
    fputs("FUNC ", mprof->file);
    put_word(mprof->file, mprof->trace->strings[region->name].data);
    fprintf(mprof->file, " %.4f %.4f %.4f %.4f %u\n",
        rss_at(mprof, region->process, region->start_us), at(mprof, region->start_us),
        rss_at(mprof, region->process, region->end_us), at(mprof, region->end_us),
        level_of(mprof->trace, region));
}

bool export_mprof(FILE *file, const struct report *report, const struct view *view)
{
    const struct trace *trace = view->trace;
    uint32_t first = process_of_interest(trace, view->processes);
    struct meta meta;
    unsigned child = 0;
    meta_read(&meta, trace);
    struct mprof mprof = {file, report, trace, meta.start};
    if (!first || !trace->timelines[first].count)
        return false;
    fputs("CMDLINE ", file);
    print_command(file, report, first);
    fputc('\n', file);
    for (size_t i = 0; i < trace->n_regions; i++)
        if (view->processes[trace->regions[i].process])
            put_region(&mprof, &trace->regions[i]);
    put_samples(&mprof, first, 0);
    for (uint32_t p = 1; p < trace->n_processes; p++)
        if (p != first && view->processes[p] && trace->timelines[p].count)
            put_samples(&mprof, p, ++child);
    return true;
}
