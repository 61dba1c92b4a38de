/*
 * Latin-1, UCS-2 and UCS-4 to UTF-8 (text.h).  In the collector.
 */
#include "collect/text.h"

#include <string.h>

static void put_character(struct buffer *out, uint32_t c)
{
    uint8_t bytes[4];
    if (c < 0x80) {
        bytes[0] = (uint8_t)c;
        buffer_append(out, bytes, 1);
    } else if (c >= 0xdc80 && c <= 0xdcff) {
        bytes[0] = (uint8_t)(c - 0xdc00);
        buffer_append(out, bytes, 1);
    } else if (c < 0x800) {
        bytes[0] = (uint8_t)(0xc0 | c >> 6);
        bytes[1] = (uint8_t)(0x80 | (c & 0x3f));
        buffer_append(out, bytes, 2);
    } else if (c < 0x10000) {
        bytes[0] = (uint8_t)(0xe0 | c >> 12);
        bytes[1] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
        bytes[2] = (uint8_t)(0x80 | (c & 0x3f));
        buffer_append(out, bytes, 3);
    } else {
        bytes[0] = (uint8_t)(0xf0 | (c >> 18 & 7));
        bytes[1] = (uint8_t)(0x80 | (c >> 12 & 0x3f));
        bytes[2] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
        bytes[3] = (uint8_t)(0x80 | (c & 0x3f));
        buffer_append(out, bytes, 4);
    }
}

uint32_t text_define(
    struct definitions *definitions, const uint8_t *text, uint32_t size, unsigned width)
{
    if (width != 1 && width != 2 && width != 4) {
        return definitions_string(definitions, text, size);
    }
    struct buffer out = {0};
    for (uint32_t at = 0; at + width <= size; at += width) {
        uint32_t character = 0;
        memcpy(&character, text + at, width);
        put_character(&out, character);
    }
    uint32_t id = definitions_string(definitions, out.data, (uint32_t)out.size);
    buffer_free(&out);
    return id;
}
