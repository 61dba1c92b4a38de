/*
 * A program that is run several times, one after the other: how much its runs
 * differ, which is the noise that a difference to another version has to exceed.
 */
#ifndef RUN_REPEAT_H
#define RUN_REPEAT_H

#include <stdio.h>

#include "run_outcome.h"

struct run_repeat { /* zeroed: the program runs once */
    struct run_result {
        struct run_outcome outcome;
        char *path;
    } * results;     /* of the runs that have a trace */
    unsigned count;  /* of these */
    unsigned number; /* in a run: which, from 1 */
    int to, from;    /* a pipe that results go through */
};

/* Calls `once` so many times, each in a process of its own, until one fails.  Returns the wait
   status of the last.  Signals are passed on; all but those of the user end the repetition. */
int run_repeat(
    struct run_repeat *repeat, unsigned times, int (*once)(void *context), void *context);
/* In a run: what it came to; nothing if there is only one. */
void run_repeat_send(
    const struct run_repeat *repeat, const struct run_outcome *outcome, const char *path);
/* Means and standard deviations, of two runs or more. */
void run_repeat_print(FILE *file, const struct run_repeat *repeat);
void run_repeat_free(struct run_repeat *repeat);

#endif
