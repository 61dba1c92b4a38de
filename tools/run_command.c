/*
 * What is executed (run_command.h).
 */
#include "run_command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collect/launch.h"

static bool has_suffix(const char *text, const char *suffix)
{
    size_t length = strlen(text), more = strlen(suffix);
    return length > more && strcmp(text + length - more, suffix) == 0;
}

static bool is_python_directory(const char *path)
{
    char main_path[LAUNCH_PATH_MAX];
    snprintf(main_path, sizeof(main_path), "%s/__main__.py", path);
    return access(main_path, F_OK) == 0;
}

static bool is_script(const char *path)
{
    return has_suffix(path, ".py") || has_suffix(path, ".pyz") || is_python_directory(path);
}

static char *short_name(const char *path)
{
    char *copy = strdup(path);
    size_t length = strlen(copy);
    while (length > 1 && copy[length - 1] == '/') {
        copy[--length] = 0;
    }
    char *base = strrchr(copy, '/');
    char *name = strdup(base && base[1] ? base + 1 : copy);
    free(copy);
    char *dot = strrchr(name, '.');
    if (dot && dot > name && (strcmp(dot, ".py") == 0 || strcmp(dot, ".pyz") == 0)) {
        *dot = 0;
    }
    return name;
}

void run_command_make(struct run_command *command, const struct run_options *run)
{
    int n = 0;
    char **argv = calloc((size_t)run->n_rest + 4, sizeof(char *));
    bool script = !run->module && !run->code && is_script(run->rest[0]);
    if (run->module || run->code || script) {
        argv[n++] = (char *)run->python;
    }
    if (run->module || run->code) {
        argv[n++] = run->module ? "-m" : "-c";
        argv[n++] = (char *)(run->module ? run->module : run->code);
    }
    for (int i = 0; i < run->n_rest; i++) {
        argv[n++] = run->rest[i];
    }
    command->argv = argv;
    command->name = run->code ? strdup("c") : short_name(run->module ? run->module : run->rest[0]);
}

void run_command_free(struct run_command *command)
{
    free(command->argv);
    free(command->name);
}

int run_command_check(const struct run_options *run)
{
    struct stat status;
    if (run->module || run->code || !is_script(run->rest[0])) {
        return 0;
    }
    if (stat(run->rest[0], &status) != 0) {
        fprintf(stderr, "memtrace: %s: no such script\n", run->rest[0]);
        return 127;
    }
    if (access(run->rest[0], R_OK) != 0) {
        fprintf(stderr, "memtrace: %s: cannot be read\n", run->rest[0]);
        return 126;
    }
    return 0;
}
