/*
 * Quoting for gnuplot and running it.  Runs in reports.  Script, picture and
 * errors are anonymous files in memory, not pipes: nobody can wait for anybody.
 */
#include "render/gnuplot.h"

#include <errno.h>
#include <limits.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "render/escape.h"

#ifndef MEMTRACE_PLOTS_DIR
#define MEMTRACE_PLOTS_DIR "/usr/local/share/memtrace/plots"
#endif

/* Length of the valid UTF-8 character at text that may be shown, 0 if there is none. */
static size_t character_size(const unsigned char *text)
{
    if (text[0] < 0x80)
        return 1;
    size_t size = text[0] >= 0xf0 ? 4 : text[0] >= 0xe0 ? 3 : 2;
    if (text[0] < 0xc2 || text[0] > 0xf4)
        return 0;
    unsigned code = text[0] & (0xff >> (size + 1));
    for (size_t i = 1; i < size; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (text[i] & 0x3f);
    }
    bool overlong = (size == 3 && code < 0x800) || (size == 4 && code < 0x10000);
    bool control = !utf8_is_harmless(code);
    bool unassigned = (code >= 0xd800 && code < 0xe000) || (code & 0xfffe) == 0xfffe;
    return overlong || control || unassigned || code > 0x10ffff ? 0 : size;
}

void gnuplot_string(FILE *script, const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    putc('\'', script);
    while (*at) {
        size_t size = character_size(at);
        if (*at < 0x20 || *at == 0x7f)
            putc(' ', script);
        else if (*at == '\'') /* doubled at the start of a string gnuplot takes it for its end */
            fputs("\u2019", script);
        else if (strncmp((const char *)at, "]]>", 3) == 0) /* in an SVG it would be no text */
            fputs("] ", script);
        else if (size)
            fwrite(at, 1, size, script);
        else
            putc('?', script);
        at += size ? size : 1;
    }
    putc('\'', script);
}

static FILE *open_beside(char *path, size_t size, const char *below, const char *name)
{
    char program[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    if (length <= 0)
        return NULL;
    program[length] = 0;
    *strrchr(program, '/') = 0;
    return snprintf(path, size, "%s/%s/%s", program, below, name) < (int)size ? fopen(path, "re")
                                                                              : NULL;
}

bool gnuplot_template(FILE *script, const char *name, const char **looked)
{
    static char path[2 * PATH_MAX];
    FILE *file = open_beside(path, sizeof path, "plots", name); /* in the build directory */
    if (!file)
        file = open_beside(path, sizeof path, "../share/memtrace/plots", name);
    if (!file) {
        snprintf(path, sizeof path, "%s/%s", MEMTRACE_PLOTS_DIR, name);
        file = fopen(path, "re");
    }
    *looked = path;
    if (!file)
        return false;
    for (int c; (c = getc(file)) != EOF;)
        putc(c, script);
    bool good = !ferror(file);
    fclose(file);
    return good;
}

static bool write_all(int fd, const char *data, size_t size)
{
    while (size) {
        ssize_t written = write(fd, data, size);
        if (written < 0 && errno != EINTR)
            return false;
        data += written > 0 ? written : 0;
        size -= written > 0 ? (size_t)written : 0;
    }
    return lseek(fd, 0, SEEK_SET) == 0;
}

static char *read_all(int fd, size_t *size)
{
    off_t end = lseek(fd, 0, SEEK_END);
    char *data = end < 0 ? NULL : malloc((size_t)end + 1);
    *size = 0;
    while (data && *size < (size_t)end) {
        ssize_t got = pread(fd, data + *size, (size_t)end - *size, (off_t)*size);
        if (got <= 0 && errno != EINTR)
            break;
        *size += got > 0 ? (size_t)got : 0;
    }
    if (data)
        data[*size] = 0;
    return data;
}

static enum gnuplot_error start_and_wait(const int files[3])
{
    char *arguments[] = {"gnuplot", "-d", NULL};
    posix_spawn_file_actions_t actions;
    pid_t child;
    int status;
    posix_spawn_file_actions_init(&actions);
    for (int i = 0; i < 3; i++)
        posix_spawn_file_actions_adddup2(&actions, files[i], i);
    errno = posix_spawnp(&child, arguments[0], &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (errno)
        return errno == ENOENT ? GNUPLOT_MISSING : GNUPLOT_SYSTEM;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return GNUPLOT_SYSTEM;
    return status == 0 ? GNUPLOT_OK : GNUPLOT_FAILED;
}

enum gnuplot_error gnuplot_run(const char *script, size_t size, struct gnuplot_result *result)
{
    static const char *const names[] = {"gnuplot script", "gnuplot output", "gnuplot errors"};
    enum gnuplot_error error = GNUPLOT_SYSTEM;
    int files[3];
    size_t errors_size;
    *result = (struct gnuplot_result){0};
    for (int i = 0; i < 3; i++)
        files[i] = memfd_create(names[i], MFD_CLOEXEC);
    if (files[0] >= 0 && files[1] >= 0 && files[2] >= 0 && write_all(files[0], script, size)) {
        error = start_and_wait(files);
        int saved = errno;
        result->output = read_all(files[1], &result->size);
        result->errors = read_all(files[2], &errors_size);
        errno = saved;
    }
    for (int i = 0; i < 3; i++)
        if (files[i] >= 0)
            close(files[i]);
    if (error == GNUPLOT_OK && (!result->output || !result->errors || !result->size))
        error = GNUPLOT_FAILED;
    return error;
}

void gnuplot_free(struct gnuplot_result *result)
{
    free(result->output);
    free(result->errors);
    *result = (struct gnuplot_result){0};
}
