/*
 * Trace files in a place, and what is said of them without making a report.
 */
#ifndef RENDER_FOUND_H
#define RENDER_FOUND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum found_state {
    FOUND_SEALED,
    FOUND_RUNNING,
    FOUND_EARLY, /* ends early: its collector was killed */
    FOUND_DAMAGED,
    FOUND_NEWER,   /* of a later version */
    FOUND_NOTHING, /* cut before its first data */
    FOUND_FOREIGN, /* no trace, whatever its name */
    FOUND_FORBIDDEN
};

struct found {
    char *path;
    enum found_state state;
    double modified; /* seconds since 1970 */
    int64_t bytes;   /* of the file */
    /* Of those that can be read; else 0 and NULL. */
    char *command;                                /* as one would type it */
    uint64_t time_us, peak, peak_rss, elapsed_us; /* elapsed: while it is running */
    bool proportional;                            /* peak_rss is the PSS of several processes */
};

/* The *.mtrace of a directory, the newest first.  -1 with errno if it cannot be read. */
int found_in(const char *directory, struct found **found, size_t *n);
/* One file; false with errno if it is not there. */
bool found_file(struct found *found, const char *path);
void found_free(struct found *found, size_t n);

/* True for a regular file that begins as a trace does.  No link is followed. */
bool found_is_trace(const char *path);
extern const char *const found_state_names[];

#endif
