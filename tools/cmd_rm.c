/*
 * `memtrace rm`: removes traces, and nothing that is none.
 */
#include "commands.h"

#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "render/format.h"
#include "render/found.h"
#include "render/output.h"
#include "render/running.h"

struct arguments {
    char **names; /* of argv */
    size_t n_names;
    double older_than; /* seconds; 0: whatever their age */
    bool force, dry;
    double now;
    size_t removed, failed;
    int64_t bytes;
};

enum { OPTION_OLDER_THAN = 1000 };

static const struct argp_option options[] = {
    {"older-than", OPTION_OLDER_THAN, "AGE", 0,
        "Those that were last written to so long ago: 90s, 30m, 12h, 7d, 2w", 0},
    {"force", 'f', NULL, 0, "Also those that are still being written", 0},
    {"dry-run", 'n', NULL, 0, "Say what would be removed, and remove nothing", 0},
    {0},
};

static double parse_age(struct argp_state *state, const char *text)
{
    static const struct {
        const char *unit;
        double seconds;
    } units[] = {{"s", 1}, {"m", 60}, {"min", 60}, {"h", 3600}, {"d", 86400}, {"w", 604800}};
    char *end;
    double number = strtod(text, &end);
    end += strspn(end, " ");
    for (size_t i = 0; end != text && number > 0 && i < sizeof units / sizeof *units; i++)
        if (strcmp(end, units[i].unit) == 0)
            return number * units[i].seconds;
    argp_error(state, "--older-than takes an age, such as 90s, 30m, 12h, 7d or 2w, not '%s'", text);
    return 0;
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    switch (key) {
    case OPTION_OLDER_THAN:
        arguments->older_than = parse_age(state, text);
        return 0;
    case 'f':
        arguments->force = true;
        return 0;
    case 'n':
        arguments->dry = true;
        return 0;
    case ARGP_KEY_ARGS:
        arguments->names = state->argv + state->next;
        arguments->n_names = (size_t)(state->argc - state->next);
        return 0;
    case ARGP_KEY_END:
        if (!arguments->n_names && !arguments->older_than)
            argp_error(state, "give the traces to remove, or --older-than AGE");
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

static const struct argp argp = {.options = options,
    .parser = parse,
    .args_doc = "[TRACE...]",
    .doc = "Removes traces, and nothing that is none.  Asks nothing.\v"
           "With --older-than and no TRACE: all such traces of the current directory."};

static bool is_old(const struct arguments *arguments, const char *path)
{
    struct stat status;
    return !arguments->older_than ||
           (lstat(path, &status) == 0 &&
               arguments->now - (double)status.st_mtim.tv_sec >= arguments->older_than);
}

static bool is_running(const char *path)
{
    struct found found;
    bool running = found_file(&found, path) && found.state == FOUND_RUNNING;
    free(found.path);
    free(found.command);
    return running;
}

/* Why a file is not to be removed, NULL if it is. */
static const char *objection(const struct arguments *arguments, const char *path)
{
    struct stat status;
    if (lstat(path, &status) != 0)
        return strerror(errno);
    if (S_ISDIR(status.st_mode))
        return "a directory; give traces, or --older-than AGE inside of it";
    if (S_ISLNK(status.st_mode))
        return "a symbolic link, which is no trace; give what it points to";
    if (!found_is_trace(path))
        return access(path, R_OK) != 0 ? "may not be read, so it cannot be seen to be a trace"
                                       : "not a memtrace trace, so it stays";
    if (!arguments->force && is_running(path))
        return "still being written; --force removes it nonetheless";
    return NULL;
}

static void remove_trace(struct arguments *arguments, const char *path)
{
    struct stat status;
    const char *why = objection(arguments, path);
    if (!why && lstat(path, &status) == 0 && !arguments->dry && unlink(path) != 0)
        why = strerror(errno);
    if (why) {
        message("%s: %s", path, why);
        arguments->failed++;
        return;
    }
    if (arguments->dry)
        printf("%s\n", path);
    arguments->removed++;
    arguments->bytes += status.st_size;
}

/* A name may be given without its suffix. */
static void remove_named(struct arguments *arguments, const char *name)
{
    char *longer = NULL;
    struct stat status;
    if (lstat(name, &status) != 0 && errno == ENOENT && asprintf(&longer, "%s.mtrace", name) >= 0 &&
        lstat(longer, &status) == 0)
        name = longer;
    if (is_old(arguments, name))
        remove_trace(arguments, name);
    free(longer);
}

static void remove_here(struct arguments *arguments)
{
    struct found *found;
    size_t n;
    if (found_in(".", &found, &n) != 0) {
        message("this directory: %s", strerror(errno));
        arguments->failed++;
        return;
    }
    for (size_t i = 0; i < n; i++)
        if (is_old(arguments, found[i].path) && found_is_trace(found[i].path))
            remove_trace(arguments, found[i].path);
    found_free(found, n);
}

int cmd_rm(int argc, char **argv)
{
    struct arguments arguments = {.now = (double)time(NULL)};
    char bytes[FORMAT_SIZE];
    if (argp_parse(&argp, argc, argv, 0, NULL, &arguments))
        return 2;
    for (size_t i = 0; i < arguments.n_names; i++)
        remove_named(&arguments, arguments.names[i]);
    if (!arguments.n_names)
        remove_here(&arguments);
    if (!arguments.failed || arguments.removed)
        message("%s %zu trace%s, %s", arguments.dry ? "would remove" : "removed", arguments.removed,
            arguments.removed == 1 ? "" : "s", format_total(bytes, arguments.bytes, UNITS_AUTO));
    return arguments.failed ? 1 : 0;
}
