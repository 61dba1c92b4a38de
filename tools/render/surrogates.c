/*
 * Bytes to text as Python has it (surrogates.h).  Runs in the tools.
 */
#include "render/surrogates.h"

#include "render/escape.h"

void buffer_append_surrogates(struct buffer *buffer, const char *text, size_t size)
{
    while (size) {
        uint32_t character;
        size_t length = utf8_decode(text, size, &character);
        if (length)
            buffer_append(buffer, text, length);
        else { /* U+DC80 to U+DCFF */
            unsigned char byte = (unsigned char)*text;
            const unsigned char surrogate[] = {
                0xed, (unsigned char)(0xb0 | (byte >> 6)), (unsigned char)(0x80 | (byte & 0x3f))};
            buffer_append(buffer, surrogate, sizeof surrogate);
        }
        length = length ? length : 1;
        text += length;
        size -= length;
    }
}
