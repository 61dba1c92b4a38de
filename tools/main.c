/*
 * The `memtrace` command: finds the subcommand and hands over to it.  Runs on
 * its own, outside any traced program.
 */
#include "commands.h"

#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "render/output.h"

const struct command commands[] = {
#define COMMAND(name, help) {#name, help, cmd_##name},
#include "commands.inc"
#undef COMMAND
    {NULL, NULL, NULL},
};

static void print_help(FILE *file)
{
    fputs("Usage: memtrace COMMAND [OPTION...] [TRACE...]\n"
          "Where the memory of a Python program goes, to the line.\n\n",
        file);
    for (const struct command *command = commands; command->name; command++)
        fprintf(file, "  %-10s %s\n", command->name, command->help);
    fputs("\n`memtrace COMMAND --help` has the options of each.  Without TRACE a report\n"
          "takes the newest *.mtrace of the current directory.\n",
        file);
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Edit distance between short words; long ones are too far away to matter. */
static size_t distance(const char *a, const char *b)
{
    enum { LONGEST = 32 };
    size_t n = strlen(b), row[LONGEST + 1];
    if (n > LONGEST || strlen(a) > LONGEST)
        return LONGEST;
    for (size_t j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1]; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            size_t replaced = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            row[j] = least(replaced, least(row[j], row[j - 1]) + 1);
        }
    }
    return row[n];
}

/* A script, or a path: somebody forgot to say `run`. */
static bool is_program(const char *name)
{
    const char *dot = strrchr(name, '.');
    return strchr(name, '/') || (dot && strcmp(dot, ".py") == 0);
}

static int unknown_command(const char *name)
{
    const struct command *nearest = NULL;
    size_t best = 3; /* a typing error or two */
    for (const struct command *command = commands; command->name; command++) {
        size_t away = distance(name, command->name);
        if (away < best && away < strlen(command->name)) {
            best = away;
            nearest = command;
        }
    }
    if (is_program(name))
        message("'%s' is not a command; `memtrace run %s` traces a program", name, name);
    else if (nearest)
        message("'%s' is not a command; did you mean `memtrace %s`?", name, nearest->name);
    else
        message("'%s' is not a command; `memtrace --help` lists them", name);
    return 2;
}

static int run_command(int argc, char **argv)
{
    static char name[64]; /* as --help and usage errors print it */
    for (const struct command *command = commands; command->name; command++) {
        if (strcmp(argv[0], command->name) != 0)
            continue;
        snprintf(name, sizeof name, "memtrace %s", command->name);
        argv[0] = name;
        return command->run(argc, argv);
    }
    return unknown_command(argv[0]);
}

/* `memtrace help top` is `memtrace top --help`. */
static int help(int argc, char **argv)
{
    static char option[] = "--help";
    if (argc < 3) {
        print_help(stdout);
        return 0;
    }
    return run_command(2, (char *[]){argv[2], option, NULL});
}

int main(int argc, char **argv)
{
    int status = 0;
    output_start();
    argp_err_exit_status = 2;
    if (argc < 2) {
        print_help(stderr);
        return 2;
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0)
        puts("memtrace " MEMTRACE_VERSION);
    else if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
             strcmp(argv[1], "help") == 0)
        status = help(argc, argv);
    else if (argv[1][0] == '-') {
        message("unknown option '%s'; options follow the command", argv[1]);
        return 2;
    } else
        status = run_command(argc - 1, argv + 1);
    return output_finish(status);
}
