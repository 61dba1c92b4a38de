/*
 * Processes without a ring for each thread (off.h).  Runs in `run` and in reports.
 */
#include "render/off.h"

#include <jansson.h>
#include <string.h>

#include "render/format.h"

const char *const off_keys[MT_OFF_REASONS] = {
    [MT_OFF_THREADS] = "threads",
    [MT_OFF_SLOTS] = "slots",
    [MT_OFF_ROOM] = "room",
    [MT_OFF_USER] = "user",
};

static const char *const reasons[MT_OFF_REASONS] = {
    [MT_OFF_THREADS] = "more than 8,192 threads at a time",
    [MT_OFF_SLOTS] = "more threads in all than a session can have",
    [MT_OFF_ROOM] = "no room for a thread's ring",
    [MT_OFF_USER] = "as another user",
};

const char *off_words(char words[OFF_WORDS], const uint32_t counts[MT_OFF_REASONS])
{
    char number[FORMAT_SIZE], why[OFF_WORDS / 2] = "";
    uint64_t sum = 0;
    for (size_t i = 0; i < MT_OFF_REASONS; i++) {
        size_t used = strlen(why);
        if (counts[i])
            snprintf(why + used, sizeof why - used, "%s%s", used ? "; " : "", reasons[i]);
        sum += counts[i];
    }
    words[0] = 0;
    if (sum)
        snprintf(words, OFF_WORDS, "not traced to the end: %s process%s (%s)",
            format_count(number, (int64_t)sum), sum == 1 ? "" : "es", why);
    return words;
}

bool off_count(uint32_t counts[MT_OFF_REASONS], const struct trace *trace)
{
    json_t *end = trace->end ? json_loads(trace->end, 0, NULL) : NULL;
    const json_t *off = json_object_get(end, "processes_off");
    bool any = false;
    for (size_t why = 0; why < MT_OFF_REASONS; why++) {
        json_int_t count = json_integer_value(json_object_get(off, off_keys[why]));
        counts[why] = count > 0 && count <= UINT32_MAX ? (uint32_t)count : 0;
        any |= counts[why] != 0;
    }
    json_decref(end);
    return any;
}

void off_json(struct json *json, const struct trace *trace)
{
    uint32_t counts[MT_OFF_REASONS];
    if (!off_count(counts, trace))
        return;
    json_open(json, "processes_off", '{');
    for (size_t why = 0; why < MT_OFF_REASONS; why++)
        if (counts[why])
            json_number(json, off_keys[why], counts[why]);
    json_close(json, '}');
}
