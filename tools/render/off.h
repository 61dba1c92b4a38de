/*
 * Processes that were not traced to their end, because a thread of theirs got no
 * ring (include/memtrace/ring.h): what END says of them, and the words for it.
 */
#ifndef RENDER_OFF_H
#define RENDER_OFF_H

#include <stdint.h>

#include "memtrace/ring.h"
#include "render/json.h"
#include "trace/model.h"

#define OFF_WORDS 320

/* What each reason is called in END and in JSON. */
extern const char *const off_keys[MT_OFF_REASONS];

/* "not traced to the end: 2 processes (more than 8,192 threads at a time)"; empty if all were. */
const char *off_words(char words[OFF_WORDS], const uint32_t counts[MT_OFF_REASONS]);
/* By reason; of a trace that is not sealed none is known.  True if there are any. */
bool off_count(uint32_t counts[MT_OFF_REASONS], const struct trace *trace);
/* "processes_off": how many for which reason, if there are any. */
void off_json(struct json *json, const struct trace *trace);

#endif
