/*
 * What a trace is short of: events that were lost while the collector stood
 * still.  Every report says it, in itself or, where what it writes is for other
 * programs, on stderr.
 */
#ifndef RENDER_GAP_H
#define RENDER_GAP_H

#include "render/json.h"
#include "trace/model.h"

#define GAP_WORDS 96

struct gap {
    uint64_t events, bytes;
};

/* Of all processes. */
struct gap gap_of(const struct trace *trace);
/* "gap: 1,234 events lost (5 KiB)"; empty if there is none. */
const char *gap_words(char words[GAP_WORDS], const struct trace *trace);
/* "gap": its events and bytes, if there is one. */
void gap_json(struct json *json, const struct trace *trace);
/* A message, if there is one. */
void gap_warn(const struct trace *trace);

#endif
