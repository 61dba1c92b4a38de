/*
 * `memtrace import`: what another tool has recorded, as a trace.
 */
#include "commands.h"

#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "render/import_mprof.h"
#include "render/output.h"

struct arguments {
    char *input, *output;
};

static const struct argp_option options[] = {
    {"output", 'o', "FILE", 0, "Write to FILE (the name of the other one with .mtrace)", 0},
    {0},
};

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    switch (key) {
    case 'o':
        arguments->output = text;
        return 0;
    case ARGP_KEY_ARG:
        if (arguments->input)
            argp_error(state, "one file at a time, not '%s' as well", text);
        arguments->input = text;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "a .dat file of mprof is wanted, such as mprofile_20240131120000.dat");
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

/* FILE.dat to FILE.mtrace, in the current directory; the caller frees it. */
static char *name_of_output(const char *input)
{
    const char *slash = strrchr(input, '/'), *name = slash ? slash + 1 : input;
    const char *dot = strrchr(name, '.');
    char *output;
    int size = dot && strcmp(dot, ".dat") == 0 ? (int)(dot - name) : (int)strlen(name);
    if (asprintf(&output, "%.*s.mtrace", size, name) < 0)
        abort();
    return output;
}

/* Writes beside the file and renames, so that there is no half of a trace.  False after a message.
 */
static bool write_to(const char *input, FILE *file, const char *output)
{
    struct import import;
    struct writer writer;
    char *temporary;
    if (asprintf(&temporary, "%s.XXXXXX", output) < 0)
        abort();
    int fd = mkstemp(temporary), failed = errno;
    enum import_error error = IMPORT_OK;
    if (fd >= 0) {
        writer_open(&writer, fd);
        error = import_mprof(&import, file, &writer);
        failed = writer_close(&writer);
        if (!failed && error == IMPORT_OK && rename(temporary, output) != 0)
            failed = errno;
        if (failed || error != IMPORT_OK)
            unlink(temporary);
    }
    free(temporary);
    if (error == IMPORT_FOREIGN)
        message("%s:%u: not as mprof writes it: MEM and CHLD have a size and a time, FUNC two of "
                "each",
            input, import.line);
    else if (error == IMPORT_EMPTY)
        message("%s: no sample in it: no line begins with MEM; is it a .dat of mprof?", input);
    else if (fd < 0 || failed)
        message("%s: cannot be written: %s", output, strerror(failed));
    else
        message("%s: %zu samples, %zu functions, %zu children; see `memtrace plot %s`", output,
            import.samples, import.functions, import.children, output);
    return fd >= 0 && !failed && error == IMPORT_OK;
}

/* A trace can be replaced by a trace; nothing else can. */
static bool may_replace(const char *output)
{
    struct stat status;
    size_t size = strlen(output);
    bool is_trace = size > 7 && strcmp(output + size - 7, ".mtrace") == 0;
    if (stat(output, &status) != 0 || (S_ISREG(status.st_mode) && is_trace))
        return true;
    message("%s: is there and does not end in .mtrace; give another file", output);
    return false;
}

int cmd_import(int argc, char **argv)
{
    static const struct argp argp = {options, parse, "FILE.dat",
        "Makes a trace of a .dat file of mprof: its samples of RSS, its functions as regions, its "
        "children.\vFor `memtrace plot`, beside traces of memtrace run.",
        NULL, NULL, NULL};
    struct arguments arguments = {0};
    if (argp_parse(&argp, argc, argv, 0, NULL, &arguments))
        return 2;
    char *output = arguments.output ? strdup(arguments.output) : name_of_output(arguments.input);
    FILE *file = fopen(arguments.input, "re");
    bool good = output && file;
    if (!file)
        message("%s: cannot be read: %s", arguments.input, strerror(errno));
    good = good && may_replace(output) && write_to(arguments.input, file, output);
    if (file)
        fclose(file);
    free(output);
    return good ? 0 : 1;
}
