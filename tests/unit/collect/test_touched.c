/*
 * Pages of this very process, counted as those of another one: parts of blocks,
 * what goes while it is looked at, and pages that nobody lets us see.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "collect/memory.h"
#include "collect/pages.h"
#include "collect/touched.h"
#include "memtrace/format.h"

#define SIZE (4u << 20)
#define PAGE 4096u

struct world {
    struct collector collector;
    struct image image, *living;
    char *memory;
};

static int start(void **state)
{
    static struct world world;
    memset(&world, 0, sizeof(world));
    prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
    world.memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    accounts_init(&world.collector.accounts);
    world.image = (struct image){.announced = true, .pid = getpid(), .pagemap = -1, .process = 7};
    world.living = &world.image;
    world.collector.living = &world.living;
    world.collector.n_living = 1;
    *state = &world;
    return world.memory == MAP_FAILED;
}

static int stop(void **state)
{
    struct world *world = *state;
    touched_close(&world->image);
    munmap(world->memory, SIZE);
    heapmap_free(&world->image.blocks);
    memory_free(world->collector.touched.looks);
    buffer_free(&world->collector.touched.records.body);
    accounts_free(&world->collector.accounts);
    return 0;
}

static void put_block(struct world *world, uint64_t address, uint64_t size)
{
    struct accounts *accounts = &world->collector.accounts;
    struct site_record site = {.process = 7, .domain = MT_DOMAIN_MALLOC};
    uint32_t cell = accounts_cell(accounts, definitions_site(&accounts->definitions, &site));
    struct block block = {.address = address, .size = size, .cell = cell}, old;
    assert_true(heapmap_put(&world->image.blocks, &block, &old));
}

/* The last record: process, known or not, rows, and the bytes of the last row. */
struct record {
    uint64_t process, known, rows, bytes;
};

static struct record last_record(const struct world *world)
{
    const struct buffer *body = &world->collector.touched.records.body;
    struct cursor cursor = {body->data, body->data + body->size, false};
    struct record record = {0};
    while (cursor_left(&cursor)) {
        record.process = cursor_varint(&cursor);
        cursor_varint(&cursor);
        record.known = cursor_varint(&cursor);
        record.rows = cursor_varint(&cursor);
        for (uint64_t i = 0; i < record.rows; i++) {
            cursor_varint(&cursor);
            record.bytes = cursor_varint(&cursor);
        }
    }
    assert_false(cursor.bad);
    return record;
}

/* What was seen counts in the round after. */
static void look_twice(struct world *world)
{
    world->collector.now_us = UINT64_MAX;
    touched_take(&world->collector);
    touched_take(&world->collector);
}

/* Both ways to ask say the same. */
static bool count(int pagemap, uint64_t start, uint64_t size, uint64_t *untouched)
{
    uint64_t by_entry;
    bool good = pages_untouched(pagemap, start, size, untouched);
    assert_int_equal(pages_untouched_by_entry(pagemap, start, size, &by_entry), good);
    assert_true(!good || by_entry == *untouched);
    return good;
}

static void counts_parts_of_pages(void **state)
{
    struct world *world = *state;
    uint64_t untouched, at = (uint64_t)(uintptr_t)world->memory;
    int pagemap = open("/proc/self/pagemap", O_RDONLY);
    if (pagemap < 0) {
        skip();
    }
    world->memory[3 * PAGE] = 1;
    assert_true(count(pagemap, at, SIZE, &untouched));
    assert_int_equal(untouched, SIZE - PAGE);
    assert_true(count(pagemap, at + PAGE + 16, SIZE - PAGE - 24, &untouched));
    assert_int_equal(untouched, SIZE - 2 * PAGE - 24);
    assert_true(count(pagemap, at + 3 * PAGE + 5, 7, &untouched));
    assert_int_equal(untouched, 0);
    close(pagemap);
    assert_false(count(pagemap, at, SIZE, &untouched));
}

/* More regions than are told at once, and pieces of the page map. */
static void counts_many_regions(void **state)
{
    uint64_t size = 64u << 20, untouched, touched = 0;
    char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int pagemap = open("/proc/self/pagemap", O_RDONLY);
    if (pagemap < 0) {
        skip();
    }
    for (uint64_t at = 0; at < size; at += 3 * PAGE) {
        memory[at] = 1;
        touched += PAGE;
    }
    assert_true(count(pagemap, (uint64_t)(uintptr_t)memory, size, &untouched));
    assert_int_equal(untouched, size - touched);
    munmap(memory, size);
    close(pagemap);
}

static void tells_what_is_untouched(void **state)
{
    struct world *world = *state;
    put_block(world, (uint64_t)(uintptr_t)world->memory, SIZE);
    memset(world->memory, 1, SIZE / 4);
    look_twice(world);
    struct record record = last_record(world);
    assert_int_equal(record.process, 7);
    if (!record.known) {
        skip();
    }
    assert_int_equal(record.rows, 1);
    assert_int_equal(record.bytes, SIZE / 4 * 3);
    size_t said = world->collector.touched.records.body.size;
    look_twice(world);
    assert_int_equal(world->collector.touched.records.body.size, said);
}

/* It was freed before it was looked at; the event came after that. */
static void forgets_what_has_gone(void **state)
{
    struct world *world = *state;
    struct block block;
    put_block(world, (uint64_t)(uintptr_t)world->memory, SIZE);
    world->collector.now_us = UINT64_MAX;
    touched_take(&world->collector);
    assert_true(heapmap_take(&world->image.blocks, (uint64_t)(uintptr_t)world->memory, &block));
    put_block(world, (uint64_t)(uintptr_t)world->memory + SIZE, PAGE);
    touched_take(&world->collector);
    assert_int_equal(last_record(world).rows, 0);
}

static void says_what_it_cannot_see(void **state)
{
    struct world *world = *state;
    world->image.pid = INT_MAX;
    put_block(world, (uint64_t)(uintptr_t)world->memory, SIZE);
    look_twice(world);
    struct record record = last_record(world);
    assert_int_equal(record.process, 7);
    assert_int_equal(record.known, 0);
    assert_int_equal(record.rows, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(counts_parts_of_pages, start, stop),
        cmocka_unit_test_setup_teardown(counts_many_regions, start, stop),
        cmocka_unit_test_setup_teardown(tells_what_is_untouched, start, stop),
        cmocka_unit_test_setup_teardown(forgets_what_has_gone, start, stop),
        cmocka_unit_test_setup_teardown(says_what_it_cannot_see, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
