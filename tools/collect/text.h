/*
 * The interpreter's strings as the trace has them: UTF-8, and the undecodable
 * bytes of file names (lone surrogates U+DC80 to U+DCFF) as the bytes they were.
 * Used by the collector.
 */
#ifndef COLLECT_TEXT_H
#define COLLECT_TEXT_H

#include <stdint.h>

#include "collect/definitions.h"

/* Id of a string of `size` bytes, `width` (1, 2, 4) to a character, or UTF-8 (0). */
uint32_t text_define(
    struct definitions *definitions, const uint8_t *text, uint32_t size, unsigned width);

#endif
