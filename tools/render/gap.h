/*
 * What a trace is short of: events that were lost while the collector stood
 * still, processes that were not traced to their end (off.h).  Every report says
 * it, in itself or, where what it writes is for other programs, on stderr.
 */
#ifndef RENDER_GAP_H
#define RENDER_GAP_H

#include "render/json.h"
#include "trace/model.h"

#define GAP_WORDS 416

struct gap {
    uint64_t events, bytes;
};

/* Of all processes. */
struct gap gap_of(const struct trace *trace);
/* "gap: 1,234 events lost (5 KiB)", and off_words; empty if nothing is missing. */
const char *gap_words(char words[GAP_WORDS], const struct trace *trace);
/* "gap": its events and bytes, if there is one, and off_json. */
void gap_json(struct json *json, const struct trace *trace);
/* A message, if something is missing. */
void gap_warn(const struct trace *trace);

#endif
