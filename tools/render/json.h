/*
 * Writes JSON as a stream.  Unlike jansson it takes names that are not UTF-8:
 * each byte that fits into no character becomes a lone surrogate, as Python's
 * surrogateescape has it.
 */
#ifndef RENDER_JSON_H
#define RENDER_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct trace;

struct json {
    FILE *file;
    int depth;
    bool started; /* something stands before the next value on this level */
    const struct trace
        *samples; /* amounts are of this trace's samples: they have errors; or NULL */
    bool touched; /* what of them was touched is known */
};

/* A value is a member if `key` is given, an element or the document if it is NULL. */
void json_open(struct json *json, const char *key, char bracket); /* '{' or '[' */
void json_close(struct json *json, char bracket);                 /* '}' or ']' */
void json_text(struct json *json, const char *key, const char *text, size_t size);
void json_name(struct json *json, const char *key, const char *name);
void json_number(struct json *json, const char *key, int64_t number);
void json_seconds(struct json *json, const char *key, double seconds);
/* The same, for seconds since 1970: to the millisecond. */
void json_timestamp(struct json *json, const char *key, double seconds);
void json_flag(struct json *json, const char *key, bool flag);

#endif
