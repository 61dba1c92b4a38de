/*
 * Cuts lines, or wraps them (fit.h).  Runs in reports.  A line is looked at when it is complete:
 * streams break what they hand on anywhere.
 */
#include "render/fit.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "render/escape.h"
#include "render/output.h"
#include "trace/writer.h"

struct fit {
    FILE *file;
    size_t width;
    bool wraps;
    struct buffer line;
};

enum { LEAST_TO_WRAP = 40, DEEPER = 4 };

/* A character or an escape that paints, and its columns. */
static size_t next(const char *text, size_t size, size_t *columns)
{
    uint32_t character;
    *columns = 0;
    if (*text == '\x1b') {
        const char *end = memchr(text, 'm', size);
        return end ? (size_t)(end - text) + 1 : size;
    }
    size_t length = utf8_decode(text, size, &character);
    int width = length > 1 ? wcwidth((wchar_t)character) : 1;
    *columns = width < 0 ? 1 : (size_t)width;
    return length ? length : 1;
}

size_t fit_columns(const char *text, size_t size)
{
    size_t sum = 0, columns;
    for (size_t at = 0; at < size; sum += columns)
        at += next(text + at, size - at, &columns);
    return sum;
}

/* What is left out is text: an escape after it ends a paint. */
static void put_cut(const struct fit *fit, const char *text, size_t size)
{
    size_t sum = 0, columns;
    bool full = false;
    for (size_t at = 0, length; at < size; at += length) {
        length = next(text + at, size - at, &columns);
        if (!full && sum + columns > fit->width - 1) {
            full = true;
            fputs(output_utf8() ? "\u2026" : ">", fit->file);
        }
        sum += columns;
        if (!full || text[at] == '\x1b')
            fwrite(text + at, 1, length, fit->file);
    }
}

enum ending { ENDS_NOTHING, ENDS_WORD, ENDS_PHRASE, ENDS_PART, ENDINGS };

/* What ends at a blank: a part if there is another one or a bracket behind it, but for one of a
   change. */
static enum ending ending_at(const char *text, size_t size, size_t at)
{
    if (at == 0 || at + 2 >= size || text[at] != ' ' || text[at - 1] == ' ')
        return ENDS_NOTHING;
    if (text[at + 1] == ' ' || (text[at + 1] == '(' && !memchr("+-\x1b", text[at + 2], 3)))
        return ENDS_PART;
    return text[at - 1] == ',' ? ENDS_PHRASE : ENDS_WORD;
}

/* Where to break what has more columns than there are: after the last part that fits if that leaves
   a third of a line, else the last phrase, else the last word, else after the first, which is too
   long; `size` if there is no blank. */
static size_t find_break(const char *text, size_t size, size_t columns)
{
    size_t last[ENDINGS] = {0}, sum = 0, width;
    size_t indent = 0;
    while (indent < size && text[indent] == ' ')
        indent++;
    for (size_t at = 0; at < size && sum <= columns; sum += width) {
        enum ending ending = at > indent ? ending_at(text, size, at) : ENDS_NOTHING;
        last[ending > ENDS_WORD && sum < columns / 3 ? ENDS_WORD : ending] = at;
        at += next(text + at, size - at, &width);
    }
    for (int ending = ENDS_PART; ending > ENDS_NOTHING; ending--)
        if (last[ending])
            return last[ending];
    const char *blank = memchr(text + indent, ' ', size - indent);
    return blank ? (size_t)(blank - text) : size;
}

static void put_wrapped(const struct fit *fit, const char *text, size_t size)
{
    size_t indent = 0;
    while (indent < size && text[indent] == ' ')
        indent++;
    indent = indent + DEEPER < fit->width / 2 ? indent + DEEPER : DEEPER;
    for (size_t room = fit->width; fit_columns(text, size) > room; room = fit->width - indent) {
        size_t end = find_break(text, size, room);
        fwrite(text, 1, end, fit->file);
        while (end < size && text[end] == ' ')
            end++;
        text += end;
        size -= end;
        if (size)
            fprintf(fit->file, "\n%*s", (int)indent, "");
    }
    fwrite(text, 1, size, fit->file);
}

static void put_line(struct fit *fit)
{
    const char *text = (const char *)fit->line.data;
    size_t size = fit->line.size;
    if (size && fit->wraps)
        put_wrapped(fit, text, size);
    else if (size && fit_columns(text, size) > fit->width)
        put_cut(fit, text, size);
    else if (size)
        fwrite(text, 1, size, fit->file);
    fit->line.size = 0;
}

static ssize_t take(void *cookie, const char *text, size_t size)
{
    struct fit *fit = cookie;
    for (size_t at = 0; at < size;) {
        const char *end = memchr(text + at, '\n', size - at);
        size_t length = end ? (size_t)(end - text) - at : size - at;
        buffer_append(&fit->line, text + at, length);
        at += length;
        if (!end)
            break;
        put_line(fit);
        fputc('\n', fit->file);
        at++;
    }
    return (ssize_t)size;
}

static int finish(void *cookie)
{
    struct fit *fit = cookie;
    put_line(fit);
    buffer_free(&fit->line);
    free(fit);
    return 0;
}

static FILE *open_fit(FILE *file, int width, bool wraps)
{
    struct fit *fit = calloc(1, sizeof *fit);
    if (!fit)
        abort();
    *fit = (struct fit){.file = file, .width = (size_t)width, .wraps = wraps};
    FILE *stream = fopencookie(fit, "w", (cookie_io_functions_t){.write = take, .close = finish});
    if (!stream)
        abort();
    return stream;
}

FILE *fit_open(FILE *file, int width, int least)
{
    return width < least || width <= 0 ? file : open_fit(file, width, false);
}

FILE *fit_wrap(FILE *file, int width)
{
    return width < LEAST_TO_WRAP ? file : open_fit(file, width, true);
}

void fit_close(FILE *fit, FILE *file)
{
    if (fit != file)
        fclose(fit);
}
