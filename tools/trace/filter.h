/*
 * What of a trace a view is about: patterns as tracemalloc.Filter has them,
 * domains, processes and threads.
 */
#ifndef TRACE_FILTER_H
#define TRACE_FILTER_H

#include <stdbool.h>
#include <stddef.h>

#include "trace/arena.h"
#include "trace/model.h"

struct filter_pattern {
    char *pattern;
    uint32_t line; /* 0: any */
    bool exclude;
};

struct filter { /* zeroed lets all live memory through; owns its arrays, not what they point to */
    struct filter_pattern *patterns;
    char **processes, **threads; /* as given: numbers or names */
    size_t n_patterns, n_processes, n_threads;
    unsigned domains; /* bits by enum mt_domain; 0: all that is live */
    bool all_frames;
};

/* `text` is PATTERN[:LINE] and is changed. */
void filter_add_pattern(struct filter *filter, char *text, bool exclude);
void filter_add_process(struct filter *filter, char *text);
void filter_add_thread(struct filter *filter, char *text);
/* python, native or the name of a domain; false if it is neither. */
bool filter_add_domain(struct filter *filter, const char *text);
void filter_free(struct filter *filter);

/* Processes by id that are asked for; returns their number. */
size_t filter_processes(const struct filter *filter, const struct trace *trace, bool *selected);
/* Sites by id that the filter lets through, of any process. */
bool *filter_sites(const struct filter *filter, const struct trace *trace, struct arena *arena);

extern const char *const domain_names[MT_DOMAINS];

#endif
