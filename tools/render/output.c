/*
 * Streams, messages and write errors of all commands.  Runs in the tools.
 */
#include "render/output.h"

#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "memtrace/format.h"
#include "render/escape.h"
#include "render/progress.h"

static FILE *stream;
static const char *stream_path;

void output_start(void)
{
    setlocale(LC_CTYPE, "");
}

bool output_utf8(void)
{
    return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

void message(const char *format, ...)
{
    va_list arguments;
    char *text = NULL;
    progress_end();
    va_start(arguments, format);
    if (vasprintf(&text, format, arguments) < 0)
        text = NULL;
    va_end(arguments);
    flockfile(stderr);
    fputs("memtrace: ", stderr);
    print_name(stderr, text ? text : format);
    fputc('\n', stderr);
    funlockfile(stderr);
    free(text);
}

/* True for a file that begins as a trace does: the one thing that cannot be had again. */
static bool is_trace(const char *path)
{
    char magic[MT_TRACE_MAGIC_SIZE] = {0};
    struct stat status;
    bool regular = stat(path, &status) == 0 && S_ISREG(status.st_mode); /* a pipe would wait */
    FILE *file = regular ? fopen(path, "re") : NULL;
    size_t size = file ? fread(magic, 1, sizeof magic, file) : 0;
    if (file)
        fclose(file);
    return size == sizeof magic && memcmp(magic, MT_TRACE_MAGIC, sizeof magic) == 0;
}

bool output_is_stdout(const char *path)
{
    return path && strcmp(path, "-") == 0;
}

FILE *output_open(const char *path)
{
    signal(SIGPIPE, SIG_DFL);
    if (!path || output_is_stdout(path)) {
        progress_end();
        return stdout;
    }
    if (is_trace(path)) {
        message("%s: a trace, which is not overwritten with a report; give another file", path);
        return NULL;
    }
    stream = fopen(path, "we");
    if (!stream)
        message("%s: cannot be written: %s", path, strerror(errno));
    stream_path = path;
    return stream;
}

void output_tell(const char *path)
{
    progress_end();
    printf("%s\n", path);
}

/* Returns false with errno set if something of the stream was not written.  That it was closed
   all along is no failure if nothing was to be written. */
static bool finish(FILE *file)
{
    bool failed = ferror(file), pending = __fpending(file) != 0;
    if (fclose(file) != 0)
        return !failed && !pending && errno == EBADF;
    if (failed)
        errno = EIO;
    return !failed;
}

int output_finish(int status)
{
    progress_end();
    if (stream && !finish(stream)) {
        message("%s: cannot be written: %s", stream_path, strerror(errno));
        status = status ? status : 1;
    }
    stream = NULL;
    if (!finish(stdout)) {
        message("standard output: cannot be written: %s", strerror(errno));
        status = status ? status : 1;
    }
    return status;
}
