/*
 * Numbers for strings of bytes: the same for the same.  Runs in views.  Zeroed is
 * empty.  Ends the process when there is no memory.
 */
#ifndef TRACE_WORDS_H
#define TRACE_WORDS_H

#include "trace/table.h"
#include "trace/writer.h"

struct words {
    struct table numbers; /* 1 + that of the string, by its hash */
    struct buffer bytes;  /* the strings, one behind the other */
    size_t *ends;         /* by number: where in these its own ends */
    size_t count, capacity;
};

/* From 0 in the order of their first use; one that is equal to `count` was new. */
uint32_t words_number(struct words *words, const char *string, size_t size);
void words_free(struct words *words);

#endif
