/*
 * The words and numbers of a run (run_outcome.h).
 */
#include "run_outcome.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "collect/launch.h"
#include "render/format.h"
#include "render/off.h"

char *run_meta_json(char **argv, pid_t pid, unsigned interval_ms, uint64_t memory_limit)
{
    char cwd[LAUNCH_PATH_MAX] = "", host[256] = "";
    struct timespec now;
    json_t *command = json_array();
    for (char **argument = argv; *argument; argument++) {
        json_t *text = json_string(*argument);
        json_array_append_new(command, text ? text : json_string("?"));
    }
    if (!getcwd(cwd, sizeof(cwd))) {
        cwd[0] = 0;
    }
    gethostname(host, sizeof(host) - 1);
    clock_gettime(CLOCK_REALTIME, &now);
    json_t *meta = json_pack("{s:s, s:o, s:s, s:s, s:f, s:i, s:i, s:i}", "memtrace",
        MEMTRACE_VERSION, "command", command, "cwd", cwd, "host", host, "start",
        (double)now.tv_sec + (double)now.tv_nsec / 1e9, "interval_ms", (int)interval_ms, "pid",
        (int)pid, "collector_pid", (int)getpid());
    if (meta && memory_limit) {
        json_object_set_new(meta, "memory_limit", json_integer((json_int_t)memory_limit));
    }
    char *text = meta ? json_dumps(meta, JSON_COMPACT) : NULL;
    json_decref(meta);
    return text ? text : strdup("{}");
}

static double seconds_of(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static void put_processes_off(json_t *end, const struct run_outcome *outcome)
{
    json_t *off = json_object();
    for (size_t why = 0; why < MT_OFF_REASONS; why++) {
        if (outcome->processes_off[why]) {
            json_object_set_new(off, off_keys[why], json_integer(outcome->processes_off[why]));
        }
    }
    if (json_object_size(off)) {
        json_object_set(end, "processes_off", off);
    }
    json_decref(off);
}

char *run_end_json(const struct run_outcome *outcome, int status)
{
    json_t *end = json_pack("{s:f, s:f, s:f, s:i, s:I, s:I, s:I, s:I}", "seconds", outcome->seconds,
        "user", outcome->user, "sys", outcome->system, "status", status, "max_rss",
        (json_int_t)outcome->max_rss, "collector_rss", (json_int_t)outcome->collector_rss,
        "agent_rss", (json_int_t)outcome->agent_rss, "end_rss", (json_int_t)outcome->end_rss);
    if (outcome->programs_left) {
        json_object_set_new(end, "programs_left", json_integer(outcome->programs_left));
    }
    put_processes_off(end, outcome);
    char *text = json_dumps(end, JSON_COMPACT);
    json_decref(end);
    return text;
}

void run_outcome_print(FILE *file, const struct run_outcome *outcome, const char *path)
{
    char rss[FORMAT_SIZE], peak[FORMAT_SIZE], python[FORMAT_SIZE], native[FORMAT_SIZE],
        end[FORMAT_SIZE], off[OFF_WORDS], several[64] = "";
    format_total(
        rss, (int64_t)(outcome->max_pss ? outcome->max_pss : outcome->max_rss), UNITS_AUTO);
    format_total(peak, (int64_t)(outcome->peak.python + outcome->peak.native), UNITS_AUTO);
    format_total(python, (int64_t)outcome->peak.python, UNITS_AUTO);
    format_total(native, (int64_t)outcome->peak.native, UNITS_AUTO);
    format_total(end, (int64_t)(outcome->end.python + outcome->end.native), UNITS_AUTO);
    if (outcome->n_ends > 1) {
        snprintf(several, sizeof(several), " (sum of %zu processes, each at its own end)",
            outcome->n_ends);
    }
    fprintf(file,
        "memtrace: %.1f s (user %.1f, sys %.1f)  peak %s %s%s  live: peak %s (Python %s, "
        "native %s), at end %s%s\n",
        outcome->seconds, outcome->user, outcome->system, outcome->max_pss ? "PSS" : "RSS", rss,
        outcome->at_once && !outcome->max_pss ? " of the largest process" : "", peak, python,
        native, end, several);
    if (outcome->programs_left) {
        fprintf(file,
            "memtrace: not traced: %u program%s started as another user, in another root or "
            "another mount namespace\n",
            outcome->programs_left, outcome->programs_left == 1 ? "" : "s");
    }
    if (outcome->ran_on) {
        fprintf(file,
            "memtrace: %u process%s ran on, no longer traced: a server is traced in the "
            "foreground\n",
            outcome->ran_on, outcome->ran_on == 1 ? "" : "es");
    }
    if (*off_words(off, outcome->processes_off)) {
        fprintf(file, "memtrace: %s\n", off);
    }
    fprintf(file, "memtrace: %s (%.0f kB). Next: memtrace leaks | top --at peak | plot\n", path,
        (double)outcome->bytes / 1000);
}

struct run_outcome run_outcome_of(
    const struct collector *collector, const struct rusage *usage, double seconds)
{
    struct run_outcome outcome = {.seconds = seconds,
        .collector_rss = collector->max_own,
        .end_rss = collector->last_own,
        .user = seconds_of(usage->ru_utime),
        .system = seconds_of(usage->ru_stime),
        .peak = *accounts_peak_totals(&collector->accounts.all),
        .max_pss = collector->were_several ? collector->max_pss : 0,
        .at_once = collector->at_once,
        .programs_left = collector->shared.programs_left,
        .ran_on = collector->n_unseen,
        .bytes = collector->writer.written};
    for (size_t i = 0; i < collector->n_images; i++) {
        const struct image *image = collector->images[i];
        outcome.end.python += image->end.python;
        outcome.end.native += image->end.native;
        outcome.ran_on += image->status == MT_STATUS_RUNNING && !image->dead;
        outcome.n_ends += image->end.python + image->end.native > 0;
        if (image->max_rss > outcome.max_rss) {
            outcome.max_rss = image->max_rss;
        }
        if (image->max_agent > outcome.agent_rss) {
            outcome.agent_rss = image->max_agent;
        }
    }
    memcpy(outcome.processes_off, collector->shared.processes_off, sizeof(outcome.processes_off));
    return outcome;
}
