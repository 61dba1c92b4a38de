/*
 * Gaps (gap.h).  Runs in reports.
 */
#include "render/gap.h"

#include "render/format.h"
#include "render/off.h"
#include "render/output.h"

struct gap gap_of(const struct trace *trace)
{
    struct gap sum = {0, 0};
    for (size_t i = 1; i < trace->n_processes; i++) {
        sum.events += trace->processes[i].gap_events;
        sum.bytes += trace->processes[i].gap_bytes;
    }
    return sum;
}

const char *gap_words(char words[GAP_WORDS], const struct trace *trace)
{
    struct gap gap = gap_of(trace);
    uint32_t counts[MT_OFF_REASONS];
    char events[FORMAT_SIZE], bytes[FORMAT_SIZE], off[OFF_WORDS] = "";
    int used = 0;
    words[0] = 0;
    if (off_count(counts, trace))
        off_words(off, counts);
    if (gap.events)
        used = snprintf(words, GAP_WORDS, "gap: %s events lost (%s)%s",
            format_count(events, (int64_t)gap.events),
            format_size(bytes, (int64_t)gap.bytes, UNITS_AUTO), *off ? "; " : "");
    snprintf(words + used, GAP_WORDS - (size_t)used, "%s", off);
    return words;
}

void gap_json(struct json *json, const struct trace *trace)
{
    struct gap gap = gap_of(trace);
    off_json(json, trace);
    if (!gap.events)
        return;
    json_open(json, "gap", '{');
    json_number(json, "events", (int64_t)gap.events);
    json_number(json, "bytes", (int64_t)gap.bytes);
    json_close(json, '}');
}

void gap_warn(const struct trace *trace)
{
    char words[GAP_WORDS];
    if (*gap_words(words, trace))
        message("%s: %s", trace->path, words);
}
