/*
 * Sites of processes that have ended: their places are used again, their ids are
 * not, and what the file says is right.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <unistd.h>

#include "collect/definitions.h"
#include "trace/model.h"

#define PROCESSES 300u
#define SITES 50u /* of each */

struct world {
    char path[64];
    struct writer writer;
    struct definitions definitions;
};

static void start(struct world *world)
{
    struct buffer meta = {0};
    *world = (struct world){.path = "/tmp/memtrace-definitions-XXXXXX"};
    int fd = mkstemp(world->path);
    assert_true(fd >= 0);
    definitions_init(&world->definitions);
    writer_open(&world->writer, fd);
    buffer_append(&meta, "{}", 2);
    writer_chunk(&world->writer, MT_CHUNK_META, &meta);
    buffer_free(&meta);
}

static void finish(struct world *world)
{
    definitions_free(&world->definitions);
    unlink(world->path);
}

/* Site i of a process, as the definition of a node would make it. */
static uint32_t site(struct world *world, uint32_t process, uint32_t i)
{
    struct node_record node = {.line = i + 1};
    struct site_record record = {
        .process = process, .domain = i % 3, .node = definitions_node(&world->definitions, &node)};
    return definitions_site(&world->definitions, &record);
}

static uint32_t process(struct world *world)
{
    struct process_record record = {.pid = (int)world->definitions.n_processes};
    uint32_t id = definitions_process(&world->definitions, &record);
    for (uint32_t i = 0; i < SITES; i++) {
        site(world, id, i);
    }
    return id;
}

static void check_file(struct world *world)
{
    struct trace trace;
    assert_int_equal(writer_close(&world->writer), 0);
    assert_int_equal(trace_read(&trace, world->path), TRACE_OK);
    assert_false(trace.damaged);
    assert_int_equal(trace.n_sites, PROCESSES * SITES + 1);
    for (uint32_t id = 1; id < trace.n_sites; id++) {
        assert_int_equal(trace.sites[id].process, (id - 1) / SITES + 1);
        assert_int_equal(trace.nodes[trace.sites[id].node].line, (id - 1) % SITES + 1);
    }
    trace_free(&trace);
}

static void places_are_used_again(void **state)
{
    struct world world;
    start(&world);
    for (uint32_t i = 0; i < PROCESSES; i++) {
        uint32_t id = process(&world);
        if (i % 3 == 2) { /* some are over before they are written, as well */
            definitions_flush(&world.definitions, &world.writer);
        }
        world.definitions.processes[id].is_over = true;
    }
    definitions_flush(&world.definitions, &world.writer);
    assert_true(world.definitions.n_sites < 10 * SITES);
    assert_int_equal(world.definitions.next_site, PROCESSES * SITES + 1);
    check_file(&world);
    finish(&world);
}

/* Of a process that lives, and where a cell is left. */
static void what_is_needed_stays(void **state)
{
    struct world world;
    start(&world);
    uint32_t living = process(&world), held = process(&world);
    uint32_t first = site(&world, living, 0), kept = site(&world, held, 7);
    world.definitions.sites[kept].cell = 1;
    world.definitions.processes[held].is_over = true;
    for (uint32_t i = 2; i < PROCESSES; i++) {
        definitions_flush(&world.definitions, &world.writer);
        uint32_t id = process(&world);
        world.definitions.processes[id].is_over = true;
    }
    definitions_flush(&world.definitions, &world.writer);
    for (uint32_t i = 0; i < SITES; i++) {
        assert_int_equal(site(&world, living, i), first + i);
    }
    assert_int_equal(site(&world, held, 7), kept);
    check_file(&world);
    finish(&world);
}

/* A kill at any point leaves ids that say which places are free and which are to be written. */
static void known_again_after_a_kill(void **state)
{
    struct world world;
    start(&world);
    for (uint32_t i = 0; i < PROCESSES; i++) {
        uint32_t id = process(&world);
        if (i % 3 == 1) {
            definitions_flush(&world.definitions, &world.writer);
        }
        world.definitions.processes[id].is_over = true;
        definitions_reopen(&world.definitions, &world.writer); /* what it had is only lost */
        assert_int_equal(world.definitions.next_site, (i + 1) * SITES + 1);
    }
    definitions_flush(&world.definitions, &world.writer);
    assert_true(world.definitions.n_sites < 10 * SITES);
    check_file(&world);
    finish(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(places_are_used_again),
        cmocka_unit_test(what_is_needed_stays),
        cmocka_unit_test(known_again_after_a_kill),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
