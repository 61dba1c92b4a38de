/*
 * Lines and encodings of source files (source.h).  Runs in the tools, on files
 * that may be anything.
 */
#include "trace/source.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <iconv.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX_BYTES (64 << 20)
#define NO_CONVERSION ((iconv_t)-1)

enum encoding { UTF8, BY_ICONV, NOT_KNOWN };

struct source {
    char *text;
    size_t size;
    size_t *lines; /* where each begins, and after the last one the end */
    size_t n_lines;
    enum encoding encoding;
    iconv_t conversion;
    char decoded[SOURCE_LINE_MAX + 8];
};

/* ---- lines ---- */

static bool add_line(struct source *source, size_t at)
{
    if ((source->n_lines & (source->n_lines - 1)) == 0) {
        size_t capacity = source->n_lines ? source->n_lines * 2 : 1;
        size_t *lines = reallocarray(source->lines, capacity + 1, sizeof *lines);
        if (!lines)
            return false;
        source->lines = lines;
    }
    source->lines[source->n_lines++] = at;
    source->lines[source->n_lines] = source->size;
    return true;
}

/* Where the line ends that begins at `at`: behind its \n, \r\n or \r, as the interpreter counts. */
static size_t end_of_line(const struct source *source, size_t at, bool has_cr)
{
    const char *begin = source->text + at;
    const char *end = memchr(begin, '\n', source->size - at);
    const char *cr =
        has_cr ? memchr(begin, '\r', end ? (size_t)(end - begin) : source->size - at) : NULL;
    if (cr && cr + 1 != end)
        end = cr;
    return end ? (size_t)(end - source->text) + 1 : source->size;
}

static bool find_lines(struct source *source)
{
    bool has_cr = source->size && memchr(source->text, '\r', source->size);
    for (size_t at = 0; at < source->size; at = end_of_line(source, at, has_cr))
        if (!add_line(source, at))
            return false;
    return true;
}

/* ---- encodings ---- */

/* The name of PEP 263 in a comment line, "" if there is none. */
static void find_cookie(const char *line, size_t size, char *name, size_t room)
{
    const char *end = line + size, *at = line;
    size_t length = 0;
    name[0] = 0;
    while (at < end && strchr(" \t\f", *at))
        at++;
    if (at == end || *at != '#')
        return;
    while ((at = memmem(at, (size_t)(end - at), "coding", 6)) != NULL) {
        at += 6;
        if (at < end && (*at == ':' || *at == '='))
            break;
    }
    if (!at)
        return;
    for (at++; at < end && (*at == ' ' || *at == '\t');)
        at++;
    while (at < end && length + 1 < room && (isalnum((unsigned char)*at) || strchr("-_.", *at)))
        name[length++] = (char)tolower((unsigned char)*at++);
    name[length] = 0;
}

static bool is_blank_or_comment(const char *line, size_t size)
{
    size_t at = 0;
    while (at < size && strchr(" \t\f\r\n", line[at]))
        at++;
    return at == size || line[at] == '#';
}

static void find_declared(const struct source *source, char *name, size_t room)
{
    name[0] = 0;
    for (size_t i = 0; i < 2 && i < source->n_lines && !name[0]; i++) {
        const char *line = source->text + source->lines[i];
        size_t size = source->lines[i + 1] - source->lines[i];
        find_cookie(line, size, name, room);
        if (!is_blank_or_comment(line, size))
            break;
    }
}

/* Python's names that iconv does not know. */
static const char *iconv_name(const char *name)
{
    static const char *const names[][2] = {{"latin-1", "ISO-8859-1"}, {"l1", "ISO-8859-1"},
        {"iso-latin-1", "ISO-8859-1"}, {"iso-8859-1-unix", "ISO-8859-1"}, {"cp949", "UHC"},
        {"ms949", "UHC"}, {"ks-c-5601", "EUC-KR"}, {"korean", "EUC-KR"}, {"ujis", "EUC-JP"},
        {"sjis", "SHIFT_JIS"}, {"shift-jis", "SHIFT_JIS"}, {"ms932", "CP932"},
        {"windows-31j", "CP932"}, {"cyrillic", "ISO-8859-5"}, {"big5-tw", "BIG5"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i][0]) == 0)
            return names[i][1];
    return name;
}

static bool is_utf8(const char *name)
{
    return !*name || strncmp(name, "utf-8", 5) == 0 || strcmp(name, "utf8") == 0;
}

static void find_encoding(struct source *source)
{
    char name[40];
    bool marked = source->size >= 3 && memcmp(source->text, "\xef\xbb\xbf", 3) == 0;
    find_declared(source, name, sizeof name);
    for (char *at = name; *at; at++)
        *at = *at == '_' ? '-' : *at;
    source->encoding = UTF8;
    if (marked)
        source->lines[0] = 3;
    if (marked || is_utf8(name))
        return;
    source->conversion = iconv_open("UTF-8", iconv_name(name));
    source->encoding = source->conversion == NO_CONVERSION ? NOT_KNOWN : BY_ICONV;
}

/* ---- opening ---- */

static bool read_file(struct source *source, const char *path)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY); /* a pipe would wait */
    bool good = fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
                status.st_size <= FILE_MAX_BYTES &&
                (source->text = malloc((size_t)status.st_size + 1)) != NULL;
    ssize_t got = 1;
    while (good && source->size < (size_t)status.st_size && got > 0) {
        got = read(fd, source->text + source->size, (size_t)status.st_size - source->size);
        if (got < 0 && errno == EINTR)
            got = 1;
        else if (got > 0)
            source->size += (size_t)got;
    }
    if (fd >= 0)
        close(fd);
    return good && got >= 0;
}

struct source *source_open(const char *path)
{
    struct source *source = calloc(1, sizeof *source);
    if (!source)
        return NULL;
    source->conversion = NO_CONVERSION;
    if (!read_file(source, path) || !find_lines(source)) {
        source_close(source);
        return NULL;
    }
    find_encoding(source);
    return source;
}

void source_close(struct source *source)
{
    if (!source)
        return;
    if (source->conversion != NO_CONVERSION)
        iconv_close(source->conversion);
    free(source->text);
    free(source->lines);
    free(source);
}

/* ---- one line ---- */

static void trim_end(const char *text, size_t *size)
{
    while (*size && strchr(" \t\r\n\f", text[*size - 1]))
        --*size;
}

static void trim_begin(const char **text, size_t *size)
{
    while (*size && strchr(" \t\f", **text)) {
        ++*text;
        --*size;
    }
}

/* As many bytes as there is room for, but no part of a character. */
static size_t whole_characters(const char *text, size_t size)
{
    if (size <= SOURCE_LINE_MAX)
        return size;
    size = SOURCE_LINE_MAX;
    while (size && ((unsigned char)text[size] & 0xc0) == 0x80)
        size--;
    return size;
}

/* One byte as it is or, if it is not ASCII, as \xNN; the number of bytes written. */
static size_t put_byte(char *out, unsigned char byte)
{
    if (byte >= 0x80)
        return (size_t)sprintf(out, "\\x%02x", byte);
    *out = (char)byte;
    return 1;
}

static size_t decode(struct source *source, const char *text, size_t size)
{
    char *in = (char *)(uintptr_t)text, *out = source->decoded;
    size_t room = SOURCE_LINE_MAX;
    if (source->encoding == BY_ICONV)
        iconv(source->conversion, NULL, NULL, NULL, NULL);
    while (size && room >= 4) {
        if (source->encoding == BY_ICONV &&
            (iconv(source->conversion, &in, &size, &out, &room) != (size_t)-1 || errno == E2BIG))
            break;
        if (!size || room < 4)
            break;
        size_t put = put_byte(out, (unsigned char)*in);
        out += put;
        room -= put;
        in++;
        size--;
    }
    return (size_t)(out - source->decoded);
}

static const char *line_of(struct source *source, uint32_t number, size_t *size, bool indented)
{
    if (number == 0 || number > source->n_lines)
        return NULL;
    const char *text = source->text + source->lines[number - 1];
    *size = source->lines[number] - source->lines[number - 1];
    trim_end(text, size);
    if (!indented)
        trim_begin(&text, size);
    if (source->encoding == UTF8) {
        *size = whole_characters(text, *size);
        return text;
    }
    *size = decode(source, text, *size);
    return source->decoded;
}

const char *source_line(struct source *source, uint32_t number, size_t *size)
{
    return line_of(source, number, size, false);
}

const char *source_indented(struct source *source, uint32_t number, size_t *size)
{
    return line_of(source, number, size, true);
}

size_t source_count(const struct source *source)
{
    return source->n_lines;
}
