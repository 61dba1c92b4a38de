/*
 * The commands that tools/main.c dispatches to.  Their table is made by meson
 * out of the list in tools/meson.build: a line there and a file cmd_NAME.c that
 * defines cmd_NAME is a command.  argv[0] is "memtrace NAME"; the result is
 * the exit status, but for `run` 0, 1 (failure) or 2 (usage).
 */
#ifndef COMMANDS_H
#define COMMANDS_H

struct command {
    const char *name, *help;
    int (*run)(int argc, char **argv);
};

extern const struct command commands[]; /* ends with a name of NULL */

#define COMMAND(name, help) int cmd_##name(int argc, char **argv);
#include "commands.inc"
#undef COMMAND

#endif
