/*
 * memtrace mark: puts a mark into a trace that is being written, from outside
 * the traced program.
 */
#include "commands.h"

#include <argp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "collect/shared.h"
#include "render/output.h"

#define PATIENCE_MS 2000

struct mark {
    const char *name;
    int pid;                    /* of the collector or of a traced process; 0: any */
    struct mt_control *control; /* of the session that was found */
    int found;
};

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct mark *mark = state->input;
    switch (key) {
    case 'p':
        mark->pid = atoi(text);
        if (mark->pid <= 0) {
            argp_error(state, "--pid: '%s' is not the number of a process", text);
        }
        return 0;
    case ARGP_KEY_ARG:
        if (mark->name) {
            argp_error(state, "one mark at a time, not '%s' as well", text);
        }
        mark->name = text;
        if (!*text || strlen(text) > MT_MARK_MAX) {
            argp_error(state, "a name has from 1 to %u bytes", MT_MARK_MAX);
        }
        return 0;
    case ARGP_KEY_END:
        if (!mark->name) {
            argp_error(state, "name the mark");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    {"pid", 'p', "PID", 0,
        "of a traced process or of its `memtrace run`; needed only if several run", 0},
    {0},
};

static const struct argp argp = {options, parse, "NAME",
    "Puts a mark into the trace of a program that runs under `memtrace run`: a moment for reports, "
    "mark:NAME.",
    NULL, NULL, NULL};

static bool is_asked_for(const struct mark *mark, struct mt_control *control)
{
    bool asked = !mark->pid || control->collector_pid == mark->pid;
    for (uint32_t slot = 0; slot < MT_SLOTS; slot++) {
        uint64_t word = atomic_load(&control->slots[slot].word);
        asked |= mt_slot_state(word) == MT_SLOT_READY && mt_slot_pid(word) == mark->pid;
    }
    return asked;
}

static void consider(void *context, const char *directory)
{
    struct mark *mark = context;
    struct mt_control *control = shared_map_living(directory);
    if (!control) {
        return;
    }
    if (is_asked_for(mark, control)) {
        mark->found++;
        if (!mark->control) {
            mark->control = control;
            return;
        }
    }
    shared_unmap_control(control);
}

static void pause_a_millisecond(void)
{
    struct timespec pause = {0, 1000000};
    nanosleep(&pause, NULL);
}

/* Waits until the box is in one state and takes it to another. */
static bool take_box(struct mt_control *control, uint32_t from, uint32_t to)
{
    for (int waited = 0; waited < PATIENCE_MS; waited++) {
        uint32_t expected = from;
        if (atomic_compare_exchange_strong(&control->mark_state, &expected, to)) {
            return true;
        }
        pause_a_millisecond();
    }
    return false;
}

static int post(struct mark *mark)
{
    struct mt_control *control = mark->control;
    if (!take_box(control, MT_BOX_EMPTY, MT_BOX_CLAIMED)) {
        message("the collector (process %d) does not answer: no mark", control->collector_pid);
        return 1;
    }
    control->mark_size = (uint32_t)strlen(mark->name);
    memcpy(control->mark_name, mark->name, control->mark_size);
    atomic_store(&control->mark_state, MT_BOX_POSTED);
    if (!take_box(control, MT_BOX_EMPTY, MT_BOX_EMPTY)) {
        message("the collector (process %d) has not taken the mark yet", control->collector_pid);
        return 1;
    }
    return 0;
}

int cmd_mark(int argc, char **argv)
{
    struct mark mark = {0};
    if (argp_parse(&argp, argc, argv, 0, NULL, &mark)) {
        return 2;
    }
    shared_each(consider, &mark);
    if (mark.found == 1) {
        return post(&mark);
    }
    if (mark.found) {
        message("%d programs are being traced: say which with --pid", mark.found);
    } else if (mark.pid) {
        message("process %d is not traced by a `memtrace run` of yours", mark.pid);
    } else {
        message("no `memtrace run` of yours is running");
    }
    return 1;
}
