/*
 * Sparklines (spark.h).  Runs in the tools.
 */
#include "render/spark.h"

#include "render/output.h"

enum { LEVELS = 8 };

void print_spark(FILE *file, const int64_t *values, size_t count)
{
    static const char ascii[] = "_.-:=+*#";
    bool utf8 = output_utf8();
    double low = 0, high = 0;
    for (size_t i = 0; i < count; i++) {
        low = (double)values[i] < low ? (double)values[i] : low;
        high = (double)values[i] > high ? (double)values[i] : high;
    }
    for (size_t i = 0; i < count; i++) {
        double part = high > low ? ((double)values[i] - low) / (high - low) : 0;
        int level = (int)(part * (LEVELS - 1) + 0.5);
        if (utf8)
            fprintf(file, "\xe2\x96%c", 0x81 + level);
        else
            fputc(ascii[level], file);
    }
}

void spark_sample(int64_t *values, size_t n, uint64_t from_us, uint64_t to_us,
    const uint64_t *times_us, const int64_t *sizes, size_t count)
{
    size_t after = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t time = from_us + (n > 1 ? (to_us - from_us) * i / (n - 1) : 0);
        while (after < count && times_us[after] < time)
            after++;
        if (after == count || times_us[after] == time || !after) {
            bool known = after < count ? times_us[after] == time : count > 0;
            values[i] = known ? sizes[after < count ? after : count - 1] : 0;
            continue;
        }
        double part =
            (double)(time - times_us[after - 1]) / (double)(times_us[after] - times_us[after - 1]);
        values[i] =
            sizes[after - 1] + (int64_t)(part * ((double)sizes[after] - (double)sizes[after - 1]));
    }
}
