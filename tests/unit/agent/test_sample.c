/*
 * The sampler: samples come as often as they should whatever the size, what they
 * stand for is right on average and as uncertain as it says, and those that live
 * are known.  With seeds: every run is the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <pthread.h>
#include <stdlib.h>

#include "../../../tools/trace/weight.h"
#include "sample.h"
#include "session.h"

#define INTERVAL (512u << 10)
#define ADDRESS(i) ((const void *)(0x7f0000000000 + (uintptr_t)(i)*48))

__thread struct thread_local_state thread_self;
struct session session;
union session_live session_live;

static struct mt_control control;

static void start(uint64_t interval, uint64_t seed)
{
    control.sample_seed = seed;
    session = (struct session){.control = &control, .sample_bytes = interval, .wanted = true};
    sample_forked();
}

static bool is_sample(size_t size)
{
    return !sample_passes(size) && sample_draw(size);
}

/* ---- how often ---- */

static void check_frequency(size_t size, unsigned trials)
{
    double p = -expm1(-(double)(size ? size : 1) / INTERVAL), hits = 0;
    for (unsigned i = 0; i < trials; i++) {
        hits += is_sample(size);
    }
    double deviation = sqrt(trials * p * (1 - p));
    if (fabs(hits - trials * p) > 4.5 * deviation) {
        fail_msg("size %zu: %.0f samples, not %.1f ± %.1f", size, hits, trials * p, deviation);
    }
}

static void test_frequency(void **state)
{
    start(INTERVAL, 1);
    check_frequency(0, 100000000);
    check_frequency(1, 100000000);
    check_frequency(32, 30000000);
    check_frequency(600, 10000000);
    check_frequency(INTERVAL / 3, 1000000);
    check_frequency(INTERVAL, 1000000);
    check_frequency(4 * INTERVAL, 1000000);
    check_frequency(100ull * INTERVAL, 100000);
}

/* A size that nothing can have changes nothing for those that come after it. */
static void test_impossible_sizes(void **state)
{
    unsigned hits = 0;
    start(INTERVAL, 2);
    for (unsigned i = 0; i < 100000; i++) {
        is_sample(SIZE_MAX - i);
        is_sample(SIZE_MAX / 2 + i);
        hits += is_sample(INTERVAL / 2);
    }
    assert_in_range(hits, 38500, 40200); /* 39,347 ± 155 */
}

/* ---- what they stand for ---- */

struct truth {
    int64_t bytes, blocks, spread;
};

static void add(struct truth *sum, const struct weight *weight)
{
    sum->bytes += weight->bytes;
    sum->blocks += weight->blocks;
    sum->spread += weight->spread;
}

struct experiment {
    const char *name;
    size_t (*size)(uint64_t random);
    unsigned blocks, trials;
};

static size_t tiny(uint64_t random)
{
    return random % 64;
}

static size_t large(uint64_t random)
{
    return INTERVAL / 2 + random % (8 * INTERVAL);
}

/* As programs have them: of each power of two as many bytes. */
static size_t mixed(uint64_t random)
{
    unsigned bits = (unsigned)(random % 1048576 ? __builtin_ctzll(random | 1ull << 18) : 18);
    return (8ull << bits) + (random >> 40) % (8ull << bits);
}

/* Each trial is one program run.  Beside the mean: how often the truth is within 1.96 deviations,
   as every trial itself says. */
static void check_estimates(const struct experiment *experiment)
{
    double error = 0, squares = 0, block_error = 0, block_squares = 0;
    unsigned covered = 0, n = experiment->trials;
    for (unsigned trial = 0; trial < n; trial++) {
        struct truth truth = {0}, sum = {0};
        for (uint64_t i = 0; i < experiment->blocks; i++) {
            size_t size = experiment->size(weight_mix(i << 20 | trial));
            truth.bytes += (int64_t)size;
            truth.blocks++;
            if (is_sample(size)) {
                struct weight weight =
                    weight_of_block(i << 8 ^ (uint64_t)trial << 30, size, INTERVAL);
                add(&sum, &weight);
            }
        }
        double off = (double)(sum.bytes - truth.bytes),
               off_by = (double)(sum.blocks - truth.blocks);
        covered += fabs(off) <= 1.96 * weight_deviation(sum.spread, INTERVAL);
        error += off;
        squares += off * off;
        block_error += off_by;
        block_squares += off_by * off_by;
    }
    if (fabs(error) > 4 * sqrt(squares) || fabs(block_error) > 4 * sqrt(block_squares)) {
        fail_msg("%s: off by %.0f ± %.0f bytes and %.2f ± %.2f blocks on average", experiment->name,
            error / n, sqrt(squares) / n, block_error / n, sqrt(block_squares) / n);
    }
    if (fabs((double)covered / n - 0.95) > 0.01 + 3 * sqrt(0.95 * 0.05 / n)) {
        fail_msg("%s: the truth is within the error in %u of %u", experiment->name, covered, n);
    }
}

static void test_estimates(void **state)
{
    static const struct experiment experiments[] = {
        {"tiny", tiny, 600000, 500},
        {"large", large, 400, 5000},
        {"mixed", mixed, 200000, 1000},
    };
    start(INTERVAL, 3);
    for (size_t i = 0; i < sizeof(experiments) / sizeof(*experiments); i++) {
        check_estimates(&experiments[i]);
    }
}

/* ---- what comes and goes ---- */

enum { SLOTS = 4096, STEPS = 100000, CHURN_INTERVAL = 4096 };

struct slot {
    size_t size;
    bool is_sample;
};

/* What is in a slot goes, and a block of `size` comes, if that is one. */
static void exchange(
    struct slot *slots, size_t i, size_t size, struct truth *truth, struct truth *sum)
{
    struct weight gone = weight_of_block(i, slots[i].size, CHURN_INTERVAL);
    struct weight weight = weight_of_block(i, size, CHURN_INTERVAL);
    truth->bytes += (int64_t)size - (int64_t)slots[i].size;
    if (slots[i].is_sample) {
        struct weight less = {-gone.bytes, -gone.blocks, -gone.spread};
        add(sum, &less);
    }
    slots[i] = (struct slot){size, size && is_sample(size)};
    if (slots[i].is_sample) {
        add(sum, &weight);
    }
}

/* Allocations and frees in balance: what lives is estimated as well as if nothing had ever gone,
   and when all is gone nothing is left. */
static void test_churn(void **state)
{
    static struct slot slots[SLOTS];
    double error = 0, squares = 0;
    unsigned covered = 0, trials = 300;
    start(CHURN_INTERVAL, 4);
    for (uint64_t trial = 0; trial < trials; trial++) {
        struct truth truth = {0}, sum = {0};
        for (uint64_t step = 0; step < STEPS; step++) {
            uint64_t random = weight_mix(trial << 32 | step);
            exchange(slots, random % SLOTS, 1 + mixed(random >> 12), &truth, &sum);
        }
        double off = (double)(sum.bytes - truth.bytes);
        covered += fabs(off) <= 1.96 * weight_deviation(sum.spread, CHURN_INTERVAL);
        error += off;
        squares += off * off;
        for (size_t i = 0; i < SLOTS; i++) {
            exchange(slots, i, 0, &truth, &sum);
        }
        assert_int_equal(truth.bytes, 0);
        assert_int_equal(sum.bytes, 0);
        assert_int_equal(sum.blocks, 0);
        assert_int_equal(sum.spread, 0);
    }
    assert_true(fabs(error) <= 4 * sqrt(squares));
    assert_in_range(covered, 270, 297);
}

/* Down to an interval of one byte: rounding does not push the sums anywhere. */
static void test_rounding(void **state)
{
    start(1, 5);
    struct truth sum = {0};
    for (uint64_t i = 0; i < 1000000; i++) {
        if (is_sample(1)) {
            struct weight weight = weight_of_block(i * 16, 1, 1);
            add(&sum, &weight);
        }
    }
    assert_in_range(sum.bytes, 996000, 1004000); /* 1,000,000 ± 950 */
    assert_in_range(sum.blocks, 996000, 1004000);
    struct weight exact = weight_of(1234, 0, 77);
    assert_int_equal(exact.bytes, 1234);
    assert_int_equal(exact.blocks, 1);
    assert_int_equal(exact.spread, 0);
    struct weight sure = weight_of(100ull * INTERVAL, INTERVAL, UINT64_MAX);
    assert_int_equal(sure.bytes, 100ll * INTERVAL);
    assert_int_equal(sure.blocks, 1);
    assert_int_equal(sure.spread, 0);
}

static uint64_t pattern(uint64_t seed, uint32_t image)
{
    uint64_t bits = 0;
    start(INTERVAL, seed);
    session.image = image;
    for (int i = 0; i < 64; i++) {
        bits = bits << 1 | is_sample(INTERVAL / 2);
    }
    return bits;
}

/* The same seed gives the same samples; another process, and no seed, others. */
static void test_seeds(void **state)
{
    assert_int_equal(pattern(7, 1), pattern(7, 1));
    assert_int_not_equal(pattern(7, 1), pattern(7, 2));
    assert_int_not_equal(pattern(7, 1), pattern(8, 1));
    assert_int_not_equal(pattern(0, 1), pattern(0, 1));
}

static void test_off(void **state)
{
    start(INTERVAL, 1);
    session.wanted = false;
    for (int i = 0; i < 1000; i++) {
        assert_false(is_sample(100ull * INTERVAL));
    }
}

/* ---- which blocks are samples ---- */

static void note_and_take(uintptr_t from, uintptr_t count)
{
    for (uintptr_t i = from; i < from + count; i++) {
        assert_true(sample_note(ADDRESS(i)));
    }
    for (uintptr_t i = from; i < from + count; i++) {
        assert_true(sample_may_be(ADDRESS(i)));
        assert_true(sample_take(ADDRESS(i)));
        assert_false(sample_take(ADDRESS(i)));
    }
}

static void test_few(void **state)
{
    note_and_take(0, 1000);
    for (uintptr_t i = 0; i < SAMPLE_FILTER; i++) {
        assert_false(sample_may_be(ADDRESS(i)));
    }
    assert_false(sample_take(NULL));
}

static void *work(void *first)
{
    for (uintptr_t round = 0; round < 50; round++) {
        note_and_take((uintptr_t)first + round * 100, 2000);
    }
    return NULL;
}

static void test_threads(void **state)
{
    pthread_t threads[4];
    for (uintptr_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, work, (void *)(i << 20)), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    for (uintptr_t i = 0; i < 4u << 20; i += 997) {
        assert_false(sample_take(ADDRESS(i)));
    }
}

/* More than all counts of the filter can hold: then it says "perhaps" for good. */
static void test_many(void **state)
{
    note_and_take(0, 3000000);
    assert_false(sample_take(ADDRESS(5)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frequency),
        cmocka_unit_test(test_impossible_sizes),
        cmocka_unit_test(test_estimates),
        cmocka_unit_test(test_churn),
        cmocka_unit_test(test_rounding),
        cmocka_unit_test(test_seeds),
        cmocka_unit_test(test_off),
        cmocka_unit_test(test_few),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests_name("sample", tests, NULL, NULL);
}
