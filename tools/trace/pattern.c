/*
 * fnmatch with Python's rules, which differ from the C library's: `[^` negates
 * nothing, there are no character classes, and bytes that are no UTF-8 are
 * characters too.
 */
#include "trace/pattern.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Decodes one character of at least one byte; a byte that is no UTF-8 is itself, out of range. */
static uint32_t next_character(const char **at, const char *end)
{
    const unsigned char *bytes = (const unsigned char *)*at;
    size_t size = bytes[0] < 0xc0 ? 1 : bytes[0] < 0xe0 ? 2 : bytes[0] < 0xf0 ? 3 : 4;
    uint32_t character = bytes[0] & (0xffu >> (size > 1 ? size + 1 : 0));
    bool good = bytes[0] < 0x80 || (size > 1 && bytes[0] < 0xf8);
    for (size_t i = 1; good && i < size; i++) {
        good = *at + i < end && (bytes[i] & 0xc0) == 0x80;
        if (good)
            character = character << 6 | (bytes[i] & 0x3f);
    }
    *at += good ? size : 1;
    return good ? character : 0xdc00u + bytes[0];
}

/* The `]` that ends the set after `[`, NULL if there is none: then the `[` is a plain one. */
static const char *set_end(const char *at, const char *end)
{
    if (at < end && *at == '!')
        at++;
    if (at < end && *at == ']')
        at++;
    return at < end ? memchr(at, ']', (size_t)(end - at)) : NULL;
}

static bool set_match(const char *at, const char *end, uint32_t character)
{
    bool negated = at < end && *at == '!', found = false;
    at += negated;
    while (at < end) {
        uint32_t low = next_character(&at, end), high = low;
        if (end - at >= 2 && *at == '-') {
            at++;
            high = next_character(&at, end);
        }
        found |= low <= character && character <= high;
    }
    return found != negated;
}

/* Matches one character of the name by the piece of the pattern at `*at`, which is no `*`. */
static bool piece_match(const char **at, const char *end, const char **name, const char *name_end)
{
    const char *close = **at == '[' ? set_end(*at + 1, end) : NULL;
    uint32_t character = next_character(name, name_end);
    if (close) {
        bool found = set_match(*at + 1, close, character);
        *at = close + 1;
        return found;
    }
    uint32_t wanted = next_character(at, end);
    return wanted == '?' || wanted == character;
}

static const char *end_of(const char *name)
{
    size_t size = strlen(name);
    return name + size - (size >= 4 && strcmp(name + size - 4, ".pyc") == 0);
}

bool pattern_match(const char *pattern, const char *name)
{
    const char *end = end_of(pattern), *name_end = end_of(name);
    const char *star = NULL, *star_name = NULL; /* where to go on after a failure */
    for (;;) {
        if (pattern < end && *pattern == '*') {
            star = ++pattern;
            star_name = name;
        } else if (name == name_end) {
            return pattern == end;
        } else if (pattern == end || !piece_match(&pattern, end, &name, name_end)) {
            if (!star || star_name == name_end)
                return false;
            next_character(&star_name, name_end);
            pattern = star;
            name = star_name;
        }
    }
}
