/*
 * `info` for people.  Runs in the tools.
 */
#include "render/info.h"

#include <inttypes.h>
#include <time.h>

#include "render/allocators.h"
#include "render/escape.h"
#include "render/fit.h"
#include "render/look.h"
#include "render/off.h"
#include "render/running.h"
#include "trace/processes.h"
#include "trace/touched.h"

static void print_counters(FILE *file, const struct report *report)
{
    const struct trace *trace = &report->trace;
    struct info_counters sum = info_count(trace);
    char events[FORMAT_SIZE], bytes[FORMAT_SIZE];
    fprintf(file, "unknown frees: %" PRIu64 "\n", sum.unknown_frees);
    fprintf(file, "duplicate allocations: %" PRIu64 "\n", sum.duplicate_allocations);
    fprintf(file, "gaps: %s events (%s)\n", format_count(events, (int64_t)sum.gap_events),
        format_size(bytes, (int64_t)sum.gap_bytes, report->options.units));
}

/* Of large blocks and maps: the most that nobody had touched, of any process. */
static void print_touched(FILE *file, const struct report *report)
{
    const struct trace *trace = &report->trace;
    char bytes[FORMAT_SIZE];
    size_t unknown = touched_unknown(trace);
    if (touched_most(trace))
        fprintf(file, "never touched: up to %s, of blocks and maps of 1 MiB and more\n",
            format_size(bytes, (int64_t)touched_most(trace), report->options.units));
    if (unknown)
        fprintf(file,
            "never touched: not known of %zu process%s, whose pages cannot be looked at\n", unknown,
            unknown == 1 ? "" : "es");
}

static void print_definitions(FILE *file, const struct trace *trace)
{
    size_t samples = 0;
    for (size_t i = 0; i < trace->n_processes; i++)
        samples += trace->timelines[i].count;
    fprintf(file,
        "definitions: %zu strings, %zu functions, %zu stacks, %zu threads, %zu sites, "
        "%zu source lines\n",
        trace->n_strings - trace->n_merged_strings - 1,
        trace->n_functions - trace->n_merged_functions - 1,
        trace->n_nodes - trace->n_merged_nodes - 1, trace->n_threads - 1, trace->n_sites - 1,
        trace->n_sources);
    fprintf(file, "samples: %zu\n", samples);
}

enum { BOUNDARIES_SHOWN = 20, PEAKS_SHOWN = 20 };

static void print_boundary(
    FILE *file, const struct trace *trace, const struct trace_boundary *boundary)
{
    char time[FORMAT_SIZE];
    fprintf(file, "  %s", info_boundary_names[boundary->kind]);
    if (boundary->name) {
        fputc(' ', file);
        print_name(file, trace->strings[boundary->name].data);
    }
    if (boundary->process)
        fprintf(file, " of %d", trace->processes[boundary->process].pid);
    fprintf(file, " at %s, %zu changes\n", format_time(time, boundary->time_us), boundary->count);
}

static void print_boundaries(FILE *file, const struct trace *trace)
{
    size_t retained = 0, shown = 0;
    for (size_t i = 0; i < trace->n_boundaries; i++)
        retained += !trace->boundaries[i].dropped;
    fprintf(file, "boundaries: %zu\n", retained);
    for (size_t i = 0; i < trace->n_boundaries && shown < BOUNDARIES_SHOWN; i++) {
        if (!trace->boundaries[i].dropped) {
            print_boundary(file, trace, &trace->boundaries[i]);
            shown++;
        }
    }
    if (shown < retained)
        fprintf(file, "  and %zu more\n", retained - shown);
}

static void print_log(FILE *file, const struct report *report)
{
    const struct trace *trace = &report->trace;
    struct info_log log = info_log(trace);
    char events[FORMAT_SIZE], bytes[FORMAT_SIZE];
    if (log.events)
        fprintf(file, "log: %s events in %s, %.2f B each\n",
            format_count(events, (int64_t)log.events),
            format_size(bytes, (int64_t)log.bytes, report->options.units),
            (double)log.bytes / (double)log.events);
}

/* What the program named. */
static void print_named(FILE *file, const struct trace *trace)
{
    if (info_marks(trace))
        fprintf(file, "marks: %zu\n", info_marks(trace));
    if (trace->n_regions)
        fprintf(file, "regions: %zu\n", trace->n_regions);
}

static void print_peaks(FILE *file, const struct report *report)
{
    const struct trace *trace = &report->trace;
    char size[FORMAT_SIZE], time[FORMAT_SIZE], count[FORMAT_SIZE];
    size_t n = 0;
    for (size_t i = 0; i < trace->n_processes; i++) {
        const struct trace_peak *peak = &trace->peaks[i];
        if (!peak->present || (i && n++ >= PEAKS_SHOWN))
            continue;
        if (i)
            fprintf(file, "peak of %d: ", trace->processes[i].pid);
        else
            fputs("peak: ", file);
        fprintf(file, "%s at %s, %s blocks\n",
            format_total(size, (int64_t)(peak->python + peak->native), report->options.units),
            format_time(time, peak->time_us), format_count(count, (int64_t)peak->blocks));
    }
    if (n > PEAKS_SHOWN)
        fprintf(file, "  and those of %zu more processes\n", n - PEAKS_SHOWN);
}

static void print_own(FILE *file, const struct report *report)
{
    struct info_own own = info_own(report);
    char collector[FORMAT_SIZE], agent[FORMAT_SIZE], end[FORMAT_SIZE];
    if (!own.collector)
        return;
    fprintf(file, "memtrace itself: collector %s, agent %s in a process",
        format_size(collector, (int64_t)own.collector, report->options.units),
        format_size(agent, (int64_t)own.agent, report->options.units));
    if (own.end)
        fprintf(file, "; after the program %s",
            format_size(end, (int64_t)own.end, report->options.units));
    fputc('\n', file);
}

static void print_left(FILE *file, const struct report *report)
{
    uint64_t programs = info_programs_left(report);
    uint32_t counts[MT_OFF_REASONS];
    char words[OFF_WORDS];
    if (programs)
        fprintf(file,
            "not traced: %" PRIu64 " program%s started as another user, in another root or another mount namespace\n",
            programs, programs == 1 ? "" : "s");
    if (off_count(counts, &report->trace))
        fprintf(file, "%s\n", off_words(words, counts));
}

static void print_start(FILE *file, double start)
{
    time_t seconds = (time_t)start;
    struct tm local;
    char text[64];
    if (start <= 0 || !localtime_r(&seconds, &local))
        return;
    strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S %z", &local);
    fprintf(file, "started: %s\n", text);
}

static void print_labelled(FILE *file, const char *label, const char *name)
{
    if (!*name)
        return;
    fprintf(file, "%s: ", label);
    print_name(file, name);
    fputc('\n', file);
}

static void print_all(FILE *file, const struct report *report)
{
    const struct trace *trace = &report->trace;
    char bytes[FORMAT_SIZE], time[FORMAT_SIZE];
    uint64_t elapsed_us = 0;
    bool running = trace_is_running(trace, &elapsed_us);
    print_labelled(file, "file", trace->path);
    fprintf(file, "size: %s bytes, %s\n", format_count(bytes, (int64_t)trace->file_bytes),
        trace->damaged  ? "damaged"
        : trace->sealed ? "sealed"
        : running       ? "still being written"
                        : "not sealed: the trace ends early");
    if (running)
        fprintf(file, "running: %s\n", format_time(time, elapsed_us));
    if (trace->good_bytes != trace->file_bytes)
        fprintf(file, "readable: %s bytes\n", format_count(bytes, (int64_t)trace->good_bytes));
    if (trace->n_processes > 1) {
        fputs("command: ", file);
        print_command(file, report, process_of_interest(trace, NULL));
        fputc('\n', file);
    }
    print_labelled(file, "directory", report->cwd);
    print_labelled(file, "host", info_host(report));
    print_start(file, info_start(report));
    fprintf(file, "duration: %s\n", format_time(time, info_duration(trace)));
    if (trace->sample_bytes)
        fprintf(file, "sampled: one block in %s, amounts are estimates\n",
            format_size(bytes, (int64_t)trace->sample_bytes, report->options.units));
    info_processes(file, report);
    print_left(file, report);
    print_counters(file, report);
    print_allocators(file, trace);
    print_touched(file, report);
    print_definitions(file, trace);
    print_boundaries(file, trace);
    print_log(file, report);
    print_named(file, trace);
    print_peaks(file, report);
    print_own(file, report);
}

void info_text(FILE *file, const struct report *report)
{
    FILE *lines = fit_wrap(file, look_of(file).width);
    print_all(lines, report);
    fit_close(lines, file);
}
