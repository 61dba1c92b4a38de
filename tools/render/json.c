/*
 * A JSON writer: two levels get a line for each value, what is deeper stays on
 * one.  Runs in the tools.
 */
#include "render/json.h"

#include <string.h>

#include "render/escape.h"
#include "render/format.h"

enum { DEPTH_ON_LINES = 2 };

/* Files of reports are this thread's alone. */
static void put(FILE *file, const char *text, size_t size)
{
    fwrite_unlocked(text, 1, size, file);
}

static bool is_plain(char c)
{
    return c >= ' ' && c < 0x7f && c != '"' && c != '\\';
}

/* One character, or one byte that is none; returns its size. */
static size_t print_character(FILE *file, const char *text, size_t size)
{
    uint32_t c;
    size_t length = utf8_decode(text, size, &c);
    if (!length)
        fprintf(file, "\\udc%02x", (unsigned char)*text);
    else if (!utf8_is_harmless(c))
        fprintf(file, "\\u%04x", c); /* none of these is beyond */
    else if (c == '"' || c == '\\')
        fprintf(file, "\\%c", (int)c);
    else
        put(file, text, length);
    return length ? length : 1;
}

static void print_string(FILE *file, const char *text, size_t size)
{
    const char *end = text + size;
    putc_unlocked('"', file);
    while (text < end) {
        const char *plain = text;
        while (text < end && is_plain(*text))
            text++;
        put(file, plain, (size_t)(text - plain));
        if (text < end)
            text += print_character(file, text, (size_t)(end - text));
    }
    putc_unlocked('"', file);
}

static void new_line(struct json *json)
{
    fprintf(json->file, "\n%*s", 2 * json->depth, "");
}

static void begin(struct json *json, const char *key)
{
    if (json->started)
        put(json->file, ", ", json->depth <= DEPTH_ON_LINES ? 1 : 2);
    if (json->depth && json->depth <= DEPTH_ON_LINES)
        new_line(json);
    json->started = true;
    if (key) {
        print_string(json->file, key, strlen(key));
        put(json->file, ": ", 2);
    }
}

void json_open(struct json *json, const char *key, char bracket)
{
    begin(json, key);
    putc_unlocked(bracket, json->file);
    json->depth++;
    json->started = false;
}

void json_close(struct json *json, char bracket)
{
    bool lines = json->started && json->depth <= DEPTH_ON_LINES;
    json->depth--;
    if (lines)
        new_line(json);
    putc_unlocked(bracket, json->file);
    json->started = true;
    if (json->depth == 0)
        fputc('\n', json->file);
}

void json_text(struct json *json, const char *key, const char *text, size_t size)
{
    begin(json, key);
    print_string(json->file, text, size);
}

void json_name(struct json *json, const char *key, const char *name)
{
    json_text(json, key, name, strlen(name));
}

void json_number(struct json *json, const char *key, int64_t number)
{
    char digits[FORMAT_INTEGER];
    begin(json, key);
    put(json->file, digits, format_integer(digits, number));
}

void json_seconds(struct json *json, const char *key, double seconds)
{
    begin(json, key);
    fprintf(json->file, "%.9g", seconds);
}

void json_timestamp(struct json *json, const char *key, double seconds)
{
    begin(json, key);
    fprintf(json->file, "%.3f", seconds);
}

void json_flag(struct json *json, const char *key, bool flag)
{
    begin(json, key);
    fputs(flag ? "true" : "false", json->file);
}
