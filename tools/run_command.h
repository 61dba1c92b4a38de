/*
 * What `memtrace run` executes: a script by the interpreter, or a program.
 */
#ifndef RUN_COMMAND_H
#define RUN_COMMAND_H

#include "run_options.h"

struct run_command {
    char **argv; /* ended by NULL */
    char *name;  /* for the trace's file */
};

void run_command_make(struct run_command *command, const struct run_options *run);
void run_command_free(struct run_command *command);
/* 0, or the exit status after a message: the interpreter would say so too, but after everything has
   started. */
int run_command_check(const struct run_options *run);

#endif
