/*
 * Asks fontconfig, as Pango does (glyphs.h).  Runs in reports, once for each
 * character that a common font might not have; what it does not answer is missing.
 */
#include "render/glyphs.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "render/escape.h"

enum { ASKED = 64, COMMON = 0x500 };

struct asked {
    uint32_t characters[ASKED];
    bool found[ASKED];
    size_t count;
};

/* Latin, Greek and Cyrillic letters; punctuation, arrows and blocks as reports print them. */
static bool is_common(uint32_t character)
{
    return character < COMMON || (character >= 0x2000 && character < 0x2600);
}

static bool ask(uint32_t character)
{
    char command[64], answer[16];
    snprintf(command, sizeof command, "fc-list :charset=%x file 2>/dev/null", (unsigned)character);
    FILE *list = popen(command, "re");
    bool found = list && fgets(answer, sizeof answer, list);
    while (list && fgets(answer, sizeof answer, list)) {
    }
    if (list)
        pclose(list);
    return found;
}

static bool has_glyph(struct asked *asked, uint32_t character)
{
    for (size_t i = 0; i < asked->count; i++)
        if (asked->characters[i] == character)
            return asked->found[i];
    if (is_common(character) || asked->count == ASKED)
        return is_common(character);
    asked->characters[asked->count] = character;
    return asked->found[asked->count++] = ask(character);
}

size_t glyphs_replace(char *text, size_t size)
{
    struct asked asked = {.count = 0};
    char *to = text;
    for (size_t at = 0; at < size;) {
        uint32_t character;
        size_t length = utf8_decode(text + at, size - at, &character);
        bool missing = length > 1 && !has_glyph(&asked, character);
        const char *other = length > 2 ? "\u25a1" : "?"; /* no longer than the character */
        size_t from = length ? length : 1, put = missing ? strlen(other) : from;
        memmove(to, missing ? other : text + at, put);
        to += put;
        at += from;
    }
    return (size_t)(to - text);
}
