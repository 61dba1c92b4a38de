/*
 * Makes any bytes printable.  Runs in the tools.
 */
#include "render/escape.h"

#include <stdbool.h>
#include <string.h>

#include "render/output.h"

size_t utf8_decode(const char *text, size_t size, uint32_t *character)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *bytes = (const unsigned char *)text;
    size_t length = bytes[0] < 0x80   ? 1
                    : bytes[0] < 0xc2 ? 0
                    : bytes[0] < 0xe0 ? 2
                    : bytes[0] < 0xf0 ? 3
                    : bytes[0] < 0xf5 ? 4
                                      : 0;
    if (length == 0 || length > size)
        return 0;
    *character = length == 1 ? bytes[0] : bytes[0] & (0xffu >> (length + 1));
    for (size_t i = 1; i < length; i++) {
        if ((bytes[i] & 0xc0) != 0x80)
            return 0;
        *character = *character << 6 | (bytes[i] & 0x3f);
    }
    bool surrogate = *character >= 0xd800 && *character < 0xe000;
    return *character < least[length] || *character > 0x10ffff || surrogate ? 0 : length;
}

/* Controls, line ends, and what turns the direction of writing. */
bool utf8_is_harmless(uint32_t c)
{
    return c >= 0x20 && c != 0x7f && !(c >= 0x80 && c < 0xa0) && c != 0x2028 && c != 0x2029 &&
           !(c >= 0x200b && c <= 0x200f) && !(c >= 0x202a && c <= 0x202e) &&
           !(c >= 0x2066 && c <= 0x2069) && c != 0xfeff;
}

static void print_code(FILE *file, uint32_t c)
{
    static const char letters[] = "tn..r"; /* from 9 on */
    if (c == '\t' || c == '\n' || c == '\r')
        fprintf(file, "\\%c", letters[c - 9]);
    else if (c < 0x100)
        fprintf(file, "\\x%02x", c);
    else
        fprintf(file, c < 0x10000 ? "\\u%04x" : "\\U%08x", c);
}

/* Most text is this and nothing else. */
static const char *skip_ascii(const char *text, const char *end)
{
    while (text < end && *text >= 0x20 && *text < 0x7f)
        text++;
    return text;
}

/* What is harmless is written in runs. */
static void print_characters(FILE *file, const char *text, size_t size, bool utf8)
{
    const char *end = text + size, *run = text;
    while ((text = skip_ascii(text, end)) < end) {
        uint32_t c;
        size_t length = utf8_decode(text, (size_t)(end - text), &c);
        bool as_is = length && utf8_is_harmless(c) && (c < 0x80 || utf8);
        if (!length)
            c = (unsigned char)*text;
        if (!as_is) {
            fwrite(run, 1, (size_t)(text - run), file);
            print_code(file, c);
        }
        text += length ? length : 1;
        if (!as_is)
            run = text;
    }
    fwrite(run, 1, (size_t)(text - run), file);
}

void print_escaped(FILE *file, const char *text, size_t size)
{
    print_characters(file, text, size, output_utf8());
}

void print_data(FILE *file, const char *text, size_t size)
{
    print_characters(file, text, size, true);
}

void print_name(FILE *file, const char *name)
{
    print_escaped(file, name, strlen(name));
}
