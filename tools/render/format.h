/*
 * Numbers as reports print them.  Functions write into the caller's buffer and
 * return it.
 */
#ifndef RENDER_FORMAT_H
#define RENDER_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum units { UNITS_AUTO, UNITS_KIB, UNITS_B };

enum { FORMAT_SIZE = 40, FORMAT_INTEGER = 24 };

/* The digits of a number, without an end; returns how many.  For what has millions of them. */
size_t format_integer(char digits[FORMAT_INTEGER], int64_t number);
/* As tracemalloc prints a size: 3368 B, 30.5 MiB, 2048 KiB. */
char *format_size(char buffer[FORMAT_SIZE], int64_t bytes, enum units units);
/* ", 2.4 GiB touched" of so many bytes, or nothing where nearly all of it is. */
char *format_touched(char buffer[FORMAT_SIZE], int64_t bytes, int64_t untouched, enum units units);
/* The mean of so many blocks; 0 B of none. */
char *format_average(char buffer[FORMAT_SIZE], int64_t bytes, int64_t count, enum units units);
/* The same with a decimal always, but for bytes: 194.7 MiB.  For totals. */
char *format_total(char buffer[FORMAT_SIZE], int64_t bytes, enum units units);
/* As format_total, but without the unit's name where it is that of `total`. */
char *format_beside(char buffer[FORMAT_SIZE], int64_t bytes, int64_t total, enum units units);
/* Only the number, in the unit that format_total takes for `total`. */
char *format_part(
    char buffer[FORMAT_SIZE], int64_t bytes, int64_t total, enum units units, int decimals);
/* " ±0.4", in the unit that format_size, or format_total, takes for `bytes`; "" if error is 0. */
char *format_error(char buffer[FORMAT_SIZE], int64_t error, int64_t bytes, enum units units);
char *format_total_error(char buffer[FORMAT_SIZE], int64_t error, int64_t bytes, enum units units);
/* Bytes that a text says: "512KiB", "1.5 MB" (units of 1024 all), "4096"; -1 if it says none. */
double format_parse_size(const char *text);
/* The nearest whole number, or the nearest that there is. */
int64_t format_whole(double number);
/* 1,234,567 */
char *format_count(char buffer[FORMAT_SIZE], int64_t count);
/* 3 h 12 m, 2 m 05 s, 12.4 s */
char *format_time(char buffer[FORMAT_SIZE], uint64_t microseconds);

#endif
