/*
 * Names out of traces are any bytes.  What a terminal could take for more than
 * text never gets there.
 */
#ifndef RENDER_ESCAPE_H
#define RENDER_ESCAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Decodes the character at `text`, of `size` > 0 bytes, as strict UTF-8.  Returns its length; or 0
   if there is none, and then only the first byte should be skipped. */
size_t utf8_decode(const char *text, size_t size, uint32_t *character);

/* Prints text on one line: what is not printable as \n, \x1b, \u202e; all that is not ASCII where
   the locale has no UTF-8. */
void print_escaped(FILE *file, const char *text, size_t size);
/* The same for a string that ends with NUL. */
void print_name(FILE *file, const char *name);
/* As print_escaped, but always in UTF-8: for files that programs read. */
void print_data(FILE *file, const char *text, size_t size);
/* False for what moves a cursor, ends a line or turns the direction of writing. */
bool utf8_is_harmless(uint32_t character);

#endif
