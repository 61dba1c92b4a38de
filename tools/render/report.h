/*
 * What all reports about a view share: their options, the trace with what its
 * META chunk says, and names as they are printed.
 */
#ifndef RENDER_REPORT_H
#define RENDER_REPORT_H

#include <argp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "render/format.h"
#include "render/sources.h"
#include "trace/model.h"
#include "trace/view.h"

enum report_format { FORMAT_TEXT, FORMAT_JSON, FORMAT_CSV };
enum path_style { PATHS_DEFAULT, PATHS_SHORT, PATHS_RELATIVE, PATHS_FULL };

struct report;

struct report_options {
    struct view_options view;
    bool at_given; /* the moment was: else a trace that is being written is shown as it is now */
    const char *trace;  /* NULL: the newest */
    const char *output; /* NULL: stdout */
    enum report_format format;
    enum path_style paths;
    enum units units;
    size_t frames;
    struct source_map *source_maps; /* owned */
    size_t n_source_maps;
    bool stacks;     /* whole ones are shown, whatever the key */
    double smallest; /* of them, as text, what holds that share of the total; 0: all */
    /* Marks the natives that text with rows up to the limit shows (naming.h); NULL: it shows all */
    void (*choose)(const struct report *report, bool *wanted);
    const void *choose_for; /* more options, of the command's own */
    bool key_given;
    bool may_be_native; /* without a key, a trace with no Python in it is shown by native stacks */
};

struct report {
    struct report_options options;
    struct trace trace;
    void *meta;              /* json_t of META, NULL if it has none */
    const char *cwd;         /* "" if not known */
    struct sources *sources; /* for the lines that are shown */
    struct modules *modules; /* of the keys module and package */
};

/* The parser of the options above, a child of each command's; its input is the options. */
extern const struct argp report_argp;
/* The same without some options, by name, the last one NULL: what has no meaning in a report. */
struct report_argp {
    struct argp_option options[40];
    struct argp argp;
};
void report_argp_without(struct report_argp *made, const char *const *left_out);
/* The index of `text` in `choices`; an error with all of them if it is none. */
int report_choose(struct argp_state *state, const char *what, const char *text,
    const char *const *choices, int count);
/* Of --units. */
enum units report_choose_units(struct argp_state *state, const char *text);
void report_defaults(struct report_options *options);
/* Reads the trace; false after a message. */
bool report_open(struct report *report);
void report_close(struct report *report);
/* Before closing one whose options are those of another report, which owns them. */
void report_forget_options(struct report *report);
void report_add_mine(struct report_options *options, char *pattern);

/* The part of a file name that is to be printed: an end of it. */
const char *report_path(const struct report *report, const char *name);
/* Where a row's frame is; "" and 0 for none. */
const char *report_file(const struct report *report, uint32_t node);
/* Its module or package, as the key says. */
const char *report_module(const struct report *report, uint32_t node);
/* The library of a native frame. */
const char *report_library(const struct report *report, uint32_t node);
const char *report_function(const struct report *report, uint32_t node);
/* The trace if it is of samples, so that amounts have errors, else NULL. */
const struct trace *report_samples(const struct report *report);
/* What a process is called, without folders: Python's interpreter by its file, which has the version,
   other programs by their first argument.  The trace's. */
const char *program_name(const struct trace *trace, uint32_t process);
/* That and the arguments, as one would type it. */
void print_command(FILE *file, const struct report *report, uint32_t process);
/* What else must be known of the trace to believe the report: gaps, lost blocks. */
void print_cautions(FILE *file, const struct report *report);

#endif
