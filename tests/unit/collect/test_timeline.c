/*
 * The timeline of an hour and more on a virtual clock: bounded, with every
 * peak at its height and in its place.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <sys/stat.h>
#include <unistd.h>

#include "collect/definitions.h"
#include "collect/memory.h"
#include "collect/timeline.h"
#include "memtrace/format.h"
#include "trace/model.h"

#define STEP_US 10000u
#define SECOND_US 1000000u

struct world {
    struct image image;
    struct definitions definitions;
    struct writer writer;
    char path[64];
    struct sample most; /* of each value */
    uint64_t rss_us, spike_us;
};

static int start(void **state)
{
    static struct world world;
    struct process_record process = {.pid = 1};
    struct buffer meta = {0};
    world = (struct world){.path = "/tmp/memtrace-timeline-XXXXXX"};
    writer_open(&world.writer, mkstemp(world.path));
    buffer_append(&meta, "{}", 2);
    writer_chunk(&world.writer, MT_CHUNK_META, &meta);
    buffer_free(&meta);
    definitions_init(&world.definitions);
    world.image.process = definitions_process(&world.definitions, &process);
    definitions_flush(&world.definitions, &world.writer);
    *state = &world;
    return 0;
}

static int stop(void **state)
{
    struct world *world = *state;
    memory_free(world->image.samples);
    definitions_free(&world->definitions);
    unlink(world->path);
    return 0;
}

/* A busy program: nothing ever is as it was 10 ms before.  Now and then there is a spike, of one
   sample in RSS, between two samples in what is live. */
static void sample(struct world *world, uint64_t time_us)
{
    struct image *image = &world->image;
    uint64_t i = time_us / STEP_US;
    image->samples = memory_grow(
        image->samples, &image->samples_capacity, image->n_samples + 1, sizeof(struct sample));
    struct sample *now = &image->samples[image->n_samples++];
    *now = (struct sample){.time_us = time_us, .rss = 50000000 + (uint64_t)rand() % 4096 * 4096};
    now->totals.python = 30000000 + (uint64_t)rand() % 10000000;
    now->totals.native = 5000000 + (uint64_t)rand() % 1000000;
    now->high = now->totals.python + now->totals.native + (uint64_t)rand() % 1000;
    if (time_us == world->rss_us) {
        now->rss = 900000000;
    }
    if (time_us == world->spike_us) {
        now->high = 500000000 + i;
    }
    world->most.rss = now->rss > world->most.rss ? now->rss : world->most.rss;
    world->most.high = now->high > world->most.high ? now->high : world->most.high;
}

static void flush(struct world *world, uint64_t now_us, bool all)
{
    struct buffer body = {0};
    if (timeline_take(&world->image, now_us / TIMELINE_OF_AGE, all, &body)) {
        writer_chunk(&world->writer, MT_CHUNK_TIMELINE, &body);
    }
    buffer_free(&body);
}

/* Bytes of the file at the end; what lies in memory stays small. */
static uint64_t play(struct world *world, uint64_t seconds)
{
    struct stat status;
    for (uint64_t time = STEP_US; time <= seconds * SECOND_US; time += STEP_US) {
        sample(world, time);
        if (time % SECOND_US == 0) {
            flush(world, time, false);
            assert_true(world->image.n_samples < 10);
        }
    }
    flush(world, seconds * SECOND_US, true);
    assert_int_equal(world->image.n_samples, 0);
    assert_int_equal(writer_close(&world->writer), 0);
    assert_int_equal(stat(world->path, &status), 0);
    return (uint64_t)status.st_size;
}

static void assert_peaks(const struct world *world)
{
    struct trace trace;
    uint64_t rss = 0, high = 0, rss_us = 0, high_us = 0;
    assert_int_equal(trace_read(&trace, world->path), TRACE_OK);
    assert_false(trace.damaged);
    const struct trace_timeline *timeline = &trace.timelines[1];
    for (size_t i = 0; i < timeline->count; i++) {
        const struct trace_sample *sample = &timeline->samples[i];
        rss_us = sample->rss > rss ? sample->time_us : rss_us;
        rss = sample->rss > rss ? sample->rss : rss;
        high_us = sample->high > high ? sample->time_us : high_us;
        high = sample->high > high ? sample->high : high;
    }
    assert_int_equal(rss, world->most.rss);
    assert_int_equal(rss_us, world->rss_us);
    assert_int_equal(high, world->most.high);
    assert_true(high_us >= world->spike_us); /* perhaps the next one that stayed */
    assert_true(high_us - world->spike_us <= 2 * world->spike_us / TIMELINE_OF_AGE + STEP_US);
    trace_free(&trace);
}

static void an_hour(void **state)
{
    struct world *world = *state;
    world->rss_us = 1234 * SECOND_US + 7 * STEP_US;
    world->spike_us = 3333 * SECOND_US + 3 * STEP_US;
    assert_in_range(play(world, 3600), 1, 600000);
    assert_peaks(world);
}

static void the_other_way_round(void **state)
{
    struct world *world = *state;
    world->rss_us = 3599 * (uint64_t)SECOND_US + 99 * STEP_US;
    world->spike_us = 77 * SECOND_US + 50 * STEP_US;
    play(world, 3600);
    assert_peaks(world);
}

/* Ten times the time is not twice the file. */
static void ten_hours(void **state)
{
    struct world *world = *state;
    world->rss_us = 1234 * SECOND_US;
    world->spike_us = 30000 * (uint64_t)SECOND_US;
    assert_in_range(play(world, 36000), 1, 900000);
    assert_peaks(world);
}

/* The first seconds are as they were sampled. */
static void a_short_run(void **state)
{
    struct world *world = *state;
    struct trace trace;
    play(world, 9);
    assert_int_equal(trace_read(&trace, world->path), TRACE_OK);
    assert_int_equal(trace.timelines[1].count, 9 * SECOND_US / STEP_US);
    trace_free(&trace);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_hour, start, stop),
        cmocka_unit_test_setup_teardown(the_other_way_round, start, stop),
        cmocka_unit_test_setup_teardown(ten_hours, start, stop),
        cmocka_unit_test_setup_teardown(a_short_run, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
