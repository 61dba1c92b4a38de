/*
 * Sums, windows and thinning of timelines (tools/trace/series.h).
 */
#include "trace/series.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { MS = 1000 };

/* A trace of up to three processes; filled in by each test. */
struct fixture {
    struct trace trace;
    struct trace_process processes[4];
    struct trace_timeline timelines[4];
    struct trace_peak peaks[4];
};

static struct fixture *fixture(size_t processes)
{
    struct fixture *made = calloc(1, sizeof *made);
    assert_non_null(made);
    made->trace.processes = made->processes;
    made->trace.timelines = made->timelines;
    made->trace.peaks = made->peaks;
    made->trace.n_processes = processes + 1;
    return made;
}

static void timeline(struct fixture *made, size_t process, struct trace_sample *samples,
    size_t count, uint64_t start_us, uint64_t end_us)
{
    made->timelines[process] = (struct trace_timeline){
        .process = (uint32_t)process, .samples = samples, .count = count};
    made->processes[process].start_us = start_us;
    made->processes[process].ended = end_us != 0;
    made->processes[process].end_us = end_us;
}

static struct trace_sample sample(uint64_t time_us, uint64_t rss, uint64_t python, uint64_t high)
{
    return (struct trace_sample){
        .time_us = time_us, .rss = rss, .python = python, .high = high ? high : python};
}

static void assert_point(
    const struct series *series, size_t i, uint64_t time_us, uint64_t rss, uint64_t live)
{
    assert_true(i < series->count);
    assert_int_equal(series->samples[i].time_us, time_us);
    assert_int_equal(series->samples[i].rss, rss);
    assert_int_equal(series_live(&series->samples[i]), live);
}

static void test_start_and_end(void **state)
{
    struct fixture *made = fixture(1);
    struct trace_sample samples[] = {sample(10 * MS, 100, 40, 0), sample(20 * MS, 120, 50, 0)};
    struct series series;
    timeline(made, 1, samples, 2, 4 * MS, 25 * MS);
    assert_true(series_of_all(&series, &made->trace));
    assert_int_equal(series.count, 4);
    assert_point(&series, 0, 4 * MS, 0, 0);
    assert_point(&series, 1, 10 * MS, 100, 40);
    assert_point(&series, 3, 25 * MS, 120, 50);
    series_free(&series);
    free(made);
}

static void test_no_samples(void **state)
{
    struct fixture *made = fixture(2);
    struct series series;
    timeline(made, 1, NULL, 0, 0, 5 * MS);
    timeline(made, 2, NULL, 0, 1 * MS, 5 * MS);
    assert_true(series_of_all(&series, &made->trace));
    assert_int_equal(series.count, 0);
    assert_true(series_window(&series, 1, 2));
    series_thin(&series, 100);
    assert_int_equal(series.count, 0);
    series_free(&series);
    free(made);
}

static void test_high_is_a_spike_only_above_both(void **state)
{
    struct fixture *made = fixture(1);
    struct trace_sample samples[] = {sample(0, 1, 80, 90), sample(10 * MS, 1, 30, 80),
        sample(20 * MS, 1, 30, 70), sample(30 * MS, 1, 60, 60)};
    struct series series;
    timeline(made, 1, samples, 4, 0, 0);
    assert_true(series_of_process(&series, &made->trace, 1));
    assert_int_equal(series.count, 4);
    assert_int_equal(series.samples[0].high, 90);
    assert_int_equal(series.samples[1].high, 30); /* only fell from 80 */
    assert_int_equal(series.samples[2].high, 70);
    assert_int_equal(series.samples[3].high, 60);
    series_free(&series);
    free(made);
}

static void test_exact_peak_is_put_in(void **state)
{
    struct fixture *made = fixture(1);
    struct trace_sample samples[] = {sample(0, 10, 10, 0), sample(10 * MS, 20, 20, 95)};
    struct series series;
    timeline(made, 1, samples, 2, 0, 0);
    made->peaks[0] =
        (struct trace_peak){.present = true, .time_us = 5 * MS, .python = 60, .native = 35};
    assert_true(series_of_all(&series, &made->trace));
    assert_int_equal(series.count, 3);
    assert_point(&series, 1, 5 * MS, 15, 95);
    assert_int_equal(series.samples[2].high, 20); /* what it said is there already */
    assert_int_equal(series_peak(&made->trace, 0).native, 35);
    series_free(&series);
    free(made);
}

static void test_sum(void **state)
{
    struct fixture *made = fixture(2);
    struct trace_sample first[] = {sample(0, 100, 10, 0), sample(10 * MS, 100, 10, 0),
        sample(20 * MS, 100, 10, 0), sample(30 * MS, 100, 10, 0)};
    /* Sampled a moment after the first; gone at 22 ms. */
    struct trace_sample second[] = {sample(10 * MS + 100, 7, 3, 0), sample(20 * MS + 50, 8, 4, 9)};
    struct series series;
    timeline(made, 1, first, 4, 0, 30 * MS);
    timeline(made, 2, second, 2, 5 * MS, 22 * MS);
    assert_true(series_of_all(&series, &made->trace));
    assert_int_equal(series.count, 7);
    assert_point(&series, 0, 0, 100, 10);
    assert_point(&series, 1, 5 * MS, 100, 10);
    assert_point(&series, 2, 10 * MS + 100, 107, 13);
    assert_point(&series, 3, 20 * MS + 50, 108, 14);
    assert_int_equal(series.samples[3].high, 19);
    assert_point(&series, 4, 22 * MS, 108, 14);
    assert_point(&series, 5, 22 * MS, 100, 10);
    assert_point(&series, 6, 30 * MS, 100, 10);
    series_free(&series);
    free(made);
}

static void test_sum_never_above_its_peak(void **state)
{
    struct fixture *made = fixture(2);
    struct trace_sample first[] = {sample(0, 1, 10, 0), sample(10 * MS, 1, 10, 50)};
    struct trace_sample second[] = {sample(0, 1, 10, 0), sample(10 * MS, 1, 10, 0)};
    struct series series;
    timeline(made, 1, first, 2, 0, 0);
    timeline(made, 2, second, 2, 0, 0);
    made->peaks[0] = (struct trace_peak){.present = true, .time_us = 4 * MS, .python = 55};
    assert_true(series_of_all(&series, &made->trace));
    assert_int_equal(series.count, 3);
    assert_point(&series, 1, 4 * MS, 2, 55);
    for (size_t i = 0; i < series.count; i++)
        assert_true(series.samples[i].high <= 55);
    series_free(&series);
    free(made);
}

static void test_window(void **state)
{
    struct fixture *made = fixture(1);
    struct trace_sample samples[] = {
        sample(0, 0, 0, 0), sample(10 * MS, 100, 50, 0), sample(20 * MS, 100, 0, 0)};
    struct series series;
    timeline(made, 1, samples, 3, 0, 0);
    assert_true(series_of_process(&series, &made->trace, 1));
    assert_true(series_window(&series, 5 * MS, 15 * MS));
    assert_int_equal(series.count, 3);
    assert_point(&series, 0, 5 * MS, 50, 25);
    assert_point(&series, 1, 10 * MS, 100, 50);
    assert_point(&series, 2, 15 * MS, 100, 25);
    assert_true(series_window(&series, 7 * MS, 8 * MS)); /* between two samples */
    assert_int_equal(series.count, 2);
    assert_point(&series, 0, 7 * MS, 70, 35);
    assert_true(series_window(&series, 100 * MS, 200 * MS));
    assert_int_equal(series.count, 0);
    series_free(&series);
    free(made);
}

static void test_thin_keeps_extremes(void **state)
{
    enum { COUNT = 100000, POINTS = 400 };
    struct series series = {.samples = calloc(COUNT, sizeof(struct trace_sample)), .count = COUNT};
    assert_non_null(series.samples);
    for (size_t i = 0; i < COUNT; i++)
        series.samples[i] = sample(i * 10 * MS, 1000 + i % 7, 500 + i % 5, 0);
    series.samples[33333].high = 900;
    series.samples[44444].python = 800;
    series.samples[55555].rss = 5000;
    series.samples[66666].rss = 3;
    series_thin(&series, POINTS);
    assert_true(series.count <= POINTS && series.count > POINTS / 2);
    assert_int_equal(series.samples[0].time_us, 0);
    assert_int_equal(series.samples[series.count - 1].time_us, (uint64_t)(COUNT - 1) * 10 * MS);
    uint64_t high = 0, live = 0, rss = 0, low = UINT64_MAX;
    for (size_t i = 0; i < series.count; i++) {
        const struct trace_sample *at = &series.samples[i];
        assert_true(i == 0 || at->time_us > at[-1].time_us);
        high = at->high > high ? at->high : high;
        live = series_live(at) > live ? series_live(at) : live;
        rss = at->rss > rss ? at->rss : rss;
        low = at->rss < low ? at->rss : low;
    }
    assert_int_equal(high, 900);
    assert_int_equal(live, 800);
    assert_int_equal(rss, 5000);
    assert_int_equal(low, 3);
    series_free(&series);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_start_and_end),
        cmocka_unit_test(test_no_samples),
        cmocka_unit_test(test_high_is_a_spike_only_above_both),
        cmocka_unit_test(test_exact_peak_is_put_in),
        cmocka_unit_test(test_sum),
        cmocka_unit_test(test_sum_never_above_its_peak),
        cmocka_unit_test(test_window),
        cmocka_unit_test(test_thin_keeps_extremes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
