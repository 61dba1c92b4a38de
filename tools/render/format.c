/*
 * Sizes, counts and times for people.  Runs in the tools.
 */
#include "render/format.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "memtrace/format.h"
#include "render/output.h"

static const char *const unit_names[] = {"B", "KiB", "MiB", "GiB", "TiB"};
enum { LAST_UNIT = 4 };

size_t format_integer(char digits[FORMAT_INTEGER], int64_t number)
{
    char *first = digits + FORMAT_INTEGER, *end = first;
    uint64_t left = number < 0 ? -(uint64_t)number : (uint64_t)number;
    do
        *--first = (char)('0' + left % 10);
    while (left /= 10);
    if (number < 0)
        *--first = '-';
    memmove(digits, first, (size_t)(end - first));
    return (size_t)(end - first);
}

/* The unit that a size is printed in: at most four digits, five in the last. */
static int unit_of(double bytes, enum units units)
{
    double value = fabs(bytes);
    int unit = 0;
    if (units == UNITS_B)
        return 0;
    if (units == UNITS_KIB)
        return 1;
    for (; unit < LAST_UNIT; unit++, value /= 1024)
        if (value < 10 * 1024)
            break;
    return unit;
}

/* The same for totals, which have a decimal: at most four digits before it. */
static int unit_of_total(int64_t bytes, enum units units)
{
    int unit = 0;
    if (units != UNITS_AUTO)
        return unit_of((double)bytes, units);
    for (double value = fabs((double)bytes); unit < LAST_UNIT && value >= 1024; value /= 1024)
        unit++;
    return unit;
}

static double in_unit(int64_t bytes, int unit)
{
    return ldexp((double)bytes, -10 * unit);
}

static char *format_bytes(char buffer[FORMAT_SIZE], double bytes, enum units units)
{
    int unit = unit_of(bytes, units);
    double value = ldexp(bytes, -10 * unit);
    int decimals = unit && (fabs(value) < 100 || units == UNITS_KIB);
    snprintf(buffer, FORMAT_SIZE, "%.*f %s", decimals, value, unit_names[unit]);
    return buffer;
}

char *format_size(char buffer[FORMAT_SIZE], int64_t bytes, enum units units)
{
    return format_bytes(buffer, (double)bytes, units);
}

char *format_touched(char buffer[FORMAT_SIZE], int64_t bytes, int64_t untouched, enum units units)
{
    char size[FORMAT_SIZE];
    buffer[0] = '\0';
    if (untouched >= MT_LARGE)
        snprintf(buffer, FORMAT_SIZE, ", %.20s touched",
            format_bytes(size, (double)(bytes - untouched), units));
    return buffer;
}

char *format_average(char buffer[FORMAT_SIZE], int64_t bytes, int64_t count, enum units units)
{
    return format_bytes(buffer, count ? (double)bytes / (double)count : 0, units);
}

char *format_total(char buffer[FORMAT_SIZE], int64_t bytes, enum units units)
{
    int unit = unit_of_total(bytes, units);
    snprintf(buffer, FORMAT_SIZE, "%.*f %s", unit > 0, in_unit(bytes, unit), unit_names[unit]);
    return buffer;
}

char *format_part(
    char buffer[FORMAT_SIZE], int64_t bytes, int64_t total, enum units units, int decimals)
{
    int unit = unit_of_total(total, units);
    snprintf(buffer, FORMAT_SIZE, "%.*f", unit ? decimals : 0, in_unit(bytes, unit));
    return buffer;
}

char *format_beside(char buffer[FORMAT_SIZE], int64_t bytes, int64_t total, enum units units)
{
    if (unit_of_total(bytes, units) != unit_of_total(total, units))
        return format_total(buffer, bytes, units);
    return format_part(buffer, bytes, total, units, 1);
}

/* Two digits of it, or one that says that it is small. */
static char *put_error(char buffer[FORMAT_SIZE], int64_t error, int unit)
{
    double value = in_unit(error, unit);
    int decimals = !unit || value >= 10 ? 0 : value >= 0.095 ? 1 : 2;
    const char *sign = output_utf8() ? "\xc2\xb1" : "+-";
    buffer[0] = '\0';
    if (error)
        snprintf(buffer, FORMAT_SIZE, " %s%.*f", sign, decimals, value);
    return buffer;
}

char *format_error(char buffer[FORMAT_SIZE], int64_t error, int64_t bytes, enum units units)
{
    return put_error(buffer, error, unit_of((double)bytes, units));
}

char *format_total_error(char buffer[FORMAT_SIZE], int64_t error, int64_t bytes, enum units units)
{
    return put_error(buffer, error, unit_of_total(bytes, units));
}

static double unit_of_name(const char *text)
{
    static const char *const names[] = {"", "K", "M", "G", "T"};
    double factor = 1;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++, factor *= 1024) {
        size_t size = strlen(names[i]);
        if (strncasecmp(text, names[i], size) == 0 &&
            (!text[size] || strcasecmp(text + size, "B") == 0 ||
                (size && strcasecmp(text + size, "iB") == 0)))
            return factor;
    }
    return 0;
}

double format_parse_size(const char *text)
{
    char *end;
    double number = strtod(text, &end);
    double factor = unit_of_name(end + strspn(end, " "));
    return end == text || !(number >= 0) || factor == 0 ? -1 : number * factor;
}

int64_t format_whole(double number)
{
    if (!(number > -0x1p63))
        return number < 0 ? INT64_MIN : 0;
    return number < 0x1p63 ? llround(number) : INT64_MAX;
}

char *format_count(char buffer[FORMAT_SIZE], int64_t count)
{
    char digits[24];
    int size = snprintf(digits, sizeof digits, "%" PRId64, count), at = 0;
    for (int i = 0; i < size; i++) {
        int left = size - i;
        if (i && left % 3 == 0 && digits[i - 1] != '-')
            buffer[at++] = ',';
        buffer[at++] = digits[i];
    }
    buffer[at] = '\0';
    return buffer;
}

char *format_time(char buffer[FORMAT_SIZE], uint64_t microseconds)
{
    uint64_t seconds = microseconds / 1000000;
    if (seconds >= 3600)
        snprintf(buffer, FORMAT_SIZE, "%" PRIu64 " h %02" PRIu64 " m", seconds / 3600,
            seconds / 60 % 60);
    else if (seconds >= 100)
        snprintf(buffer, FORMAT_SIZE, "%" PRIu64 " m %02" PRIu64 " s", seconds / 60, seconds % 60);
    else
        snprintf(buffer, FORMAT_SIZE, "%.1f s", (double)microseconds / 1e6);
    return buffer;
}
