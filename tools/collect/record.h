/*
 * When and what the collector writes to the trace: definitions, timelines,
 * boundaries and peaks.
 */
#ifndef COLLECT_RECORD_H
#define COLLECT_RECORD_H

#include "collect/session.h"

/* The first boundary, when the trace's file is there. */
void record_start(struct collector *collector);
/* A mark of that name (a string of the trace): a boundary of all processes, pinned. */
void record_mark(struct collector *collector, uint32_t name, uint64_t time_us);
/* The moment "end" of a process. */
void record_end(struct collector *collector, struct image *image, uint64_t time_us);
/* A process is over: its end, if it had none, its peak and its counters. */
void record_image_end(struct collector *collector, struct image *image);
/* Whether all of that is in the file. */
bool record_has_image_end(const struct collector *collector, const struct image *image);
/* What is due: once a second, and a boundary ever more rarely. */
void record_flush(struct collector *collector, uint64_t now_us);
/* Writes what is in the log of a process that has one. */
void record_log(struct collector *collector, struct image *image);
/* After a kill of the collector: what it was about to write, or had just written. */
void record_resume(struct collector *collector);
/* Everything, after the last process. */
void record_last(struct collector *collector);

#endif
