/*
 * The encoding of the log: what is written is read back, in whatever order programs allocate and
 * free; and what is not so written is refused or harmless.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "trace/log.h"

static uint32_t seed = 1;

static uint32_t below(uint32_t limit)
{
    seed = seed * 1664525 + 1013904223;
    return (seed >> 8) % limit;
}

struct world {
    struct log_event live[500]; /* by slot: the event that began the block, or size 0 */
    uint64_t time_us;
};

/* Some addresses are used again and again, others once. */
static struct log_event next_event(struct world *world, uint32_t birth)
{
    uint32_t slot = below(500);
    struct log_event *there = &world->live[slot], event = {0};
    world->time_us += below(3) ? 0 : below(2000);
    if (there->size) {
        event = *there;
        event.kind = below(5) ? LOG_FREE : LOG_MOVE_FROM;
        there->size = 0;
    } else {
        event = (struct log_event){.kind = below(5) ? LOG_ALLOC : LOG_MOVE_TO,
            .address = 0x7f0000001000 + 16 * (below(8) ? slot : below(1u << 24)),
            .size = 1 + below(below(10) ? 500 : 1u << 30),
            .site = 1 + below(300),
            .birth = birth};
        *there = event;
    }
    event.time_us = world->time_us - below(50);
    event.thread = 1 + below(3);
    return event;
}

static struct log_event other_event(struct world *world)
{
    enum log_kind kind = (enum log_kind)(LOG_MAP + below(5));
    return (struct log_event){.time_us = world->time_us,
        .kind = kind,
        .address = kind == LOG_MAP ? 4096ull * below(1u << 20) : 0,
        .size = kind == LOG_OVER ? 0 : 4096ull * below(100),
        .site = kind == LOG_OVER ? 0 : 1 + below(9),
        .birth = log_ends(kind) ? below(7) : 0};
}

static void check_same(const struct log_event *written, const struct log_event *read, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(read[i].kind, written[i].kind);
        assert_int_equal(read[i].time_us, written[i].time_us);
        assert_int_equal(read[i].thread, written[i].thread);
        assert_int_equal(read[i].address, written[i].address);
        assert_int_equal(read[i].size, written[i].size);
        assert_int_equal(read[i].site, written[i].site);
        if (log_ends(read[i].kind) && !read[i].is_local) {
            assert_int_equal(read[i].birth, written[i].birth);
        }
    }
}

static struct log_event written[LOG_EVENTS], found[LOG_EVENTS];

static void fill(struct world *world, size_t count, uint32_t birth)
{
    for (size_t i = 0; i < count; i++) {
        written[i] = below(50) ? next_event(world, birth) : other_event(world);
    }
}

static void test_round_trip(void **state)
{
    static struct world world = {.time_us = 1000};
    const size_t counts[] = {0, 1, 2, 100, LOG_EVENTS, 777, LOG_EVENTS};
    for (uint32_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
        struct buffer body = {0};
        struct log_head head;
        fill(&world, counts[i], i);
        log_put(&body, 7 + i, written, counts[i]);
        struct cursor cursor = {.at = body.data, .end = body.data + body.size};
        log_get_head(&cursor, &head);
        assert_int_equal(head.process, 7 + i);
        assert_int_equal(head.count, counts[i]);
        log_get(&cursor, &head, found);
        assert_false(cursor.bad);
        check_same(written, found, counts[i]);
        buffer_free(&body);
    }
}

/* What is allocated and freed at once, as most is, takes a few bytes before it is compressed. */
static void test_size(void **state)
{
    struct buffer body = {0};
    for (uint32_t i = 0; i < LOG_EVENTS; i++) {
        written[i] = (struct log_event){.time_us = i / 100,
            .kind = i % 2 ? LOG_FREE : LOG_ALLOC,
            .address = 0x7f0000001000 + 64 * (i / 2 % 10),
            .size = 48 + i / 2 % 10,
            .site = 5 + i / 2 % 3,
            .thread = 1};
    }
    log_put(&body, 1, written, LOG_EVENTS);
    assert_in_range(body.size, LOG_EVENTS, 6 * LOG_EVENTS);
    buffer_free(&body);
}

/* Every byte otherwise, every length: an error, or other events, and nothing else. */
static void test_damage(void **state)
{
    static struct world world = {.time_us = 1000};
    struct buffer body = {0};
    fill(&world, 60, 0);
    log_put(&body, 1, written, 60);
    uint8_t *copy = malloc(body.size);
    size_t bad = 0;
    for (size_t i = 0; i < 3 * body.size; i++) {
        struct log_head head;
        size_t size = i < body.size ? i : body.size;
        memcpy(copy, body.data, body.size);
        if (i >= body.size) {
            copy[i % body.size] ^= (uint8_t)(1 + below(255));
        }
        struct cursor cursor = {.at = copy, .end = copy + size};
        log_get_head(&cursor, &head);
        if (!cursor.bad) {
            log_get(&cursor, &head, found);
        }
        bad += cursor.bad;
        assert_true(i >= body.size || cursor.bad);
    }
    assert_true(bad > body.size);
    free(copy);
    buffer_free(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_size),
        cmocka_unit_test(test_damage),
    };
    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
