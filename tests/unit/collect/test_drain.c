/*
 * Rings written by hand: order by numbers across rings, dependencies, moves that
 * are cancelled or cut off by a death, holes, damage.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "collect/drain.h"
#include "trace/writer.h"

#define WORDS 4096
#define RINGS 3

struct world {
    struct accounts accounts;
    struct image image;
    struct counting counting;
    struct ring rings[RINGS];
    struct mt_ring shared[RINGS];
    uint64_t words[RINGS][WORDS];
    uint64_t numbers[MT_COUNTERS];
};

static struct world world;

static void on_process(struct collector *collector, struct ring *ring, uint64_t w0, uint64_t w1)
{
}

static uint32_t on_thread(struct collector *collector, struct ring *ring, int tid)
{
    return 1;
}

static void on_end(struct collector *collector, struct ring *ring)
{
}

static bool on_reached(struct collector *collector, uint32_t slot, uint64_t position)
{
    return world.rings[slot].tail >= position;
}

/* What was said, as text: "mark a", "begin 1 b", ... */
static char said[200];

static void say(const char *what, uint32_t number, uint32_t name)
{
    const struct string_record *text = &world.accounts.definitions.strings[name];
    size_t used = strlen(said);
    snprintf(said + used, sizeof(said) - used, "%s %u %.*s;", what, number,
        name ? (int)text->size : 0, name ? text->bytes : "");
}

static void on_mark(struct collector *collector, struct ring *ring, uint32_t name)
{
    say("mark", 0, name);
}

static void on_region_begin(
    struct collector *collector, struct ring *ring, uint32_t number, uint32_t name)
{
    say("begin", number, name);
}

static void on_region_end(
    struct collector *collector, struct ring *ring, uint32_t number, uint32_t question)
{
    say("end", number, 0);
    say("question", question, 0);
}

static void on_pause(struct collector *collector, struct ring *ring, uint32_t question)
{
    say("pause", question, 0);
}

static void on_ask(struct collector *collector, struct ring *ring, uint32_t question)
{
    say("ask", question, 0);
}

static bool on_has_gap(struct collector *collector, const struct image *image)
{
    return world.shared[0].lost_events || world.shared[1].lost_events;
}

static void on_fork(struct collector *collector, struct ring *ring, uint32_t number)
{
    say("fork", number, 0);
}

static bool on_release(struct collector *collector, struct ring *ring, uint64_t address)
{
    return true;
}

static void on_thread_name(
    struct collector *collector, struct ring *ring, uint32_t name, enum mt_name kind)
{
    say("thread", kind, name);
}

static void on_python(struct collector *collector, struct ring *ring, int traced, uint32_t version)
{
    say(version == 0x030b02f0 ? "python" : "another", (uint32_t)traced, 0);
}

static const struct drain_events events = {on_process, on_thread, on_thread_name, on_python, on_end,
    on_reached, on_has_gap, on_mark, on_region_begin, on_region_end, on_pause, on_ask, on_fork,
    on_release};

static int start(void **state)
{
    memset(&world, 0, sizeof(world));
    said[0] = 0;
    accounts_init(&world.accounts);
    account_init(&world.image.account);
    world.image.announced = true;
    world.image.counting = &world.counting;
    for (int i = 0; i < RINGS; i++) {
        world.rings[i] = (struct ring){.shared = &world.shared[i],
            .words = world.words[i],
            .mask = WORDS - 1,
            .image = &world.image,
            .now_us = UINT64_MAX,
            .thread = 1};
    }
    return 0;
}

static int stop(void **state)
{
    for (int i = 0; i < RINGS; i++) {
        drain_free(&world.rings[i]);
    }
    free(world.image.account.changed);
    heapmap_free(&world.image.blocks);
    rangemap_free(&world.image.maps);
    accounts_free(&world.accounts);
    return 0;
}

static void put(int ring, uint64_t word)
{
    uint64_t head = world.shared[ring].head;
    world.words[ring][head % WORDS] = word;
    world.shared[ring].head = head + 1;
}

static void put_alloc(int ring, uint64_t address, uint64_t size)
{
    put(ring, MT_OP_ALLOC | MT_DOMAIN_MALLOC << 4 | size << 8);
    put(ring, address << 16);
}

static void put_alloc_seq(int ring, uint64_t address, uint64_t size, uint64_t number)
{
    put(ring, MT_OP_ALLOC_SEQ | MT_DOMAIN_MALLOC << 4 | size << 8 | number << 32);
    put(ring, address << 16);
}

static void put_free_seq(int ring, uint64_t address, uint64_t number)
{
    put(ring, MT_OP_FREE_SEQ | address << 16);
    put(ring, number);
}

static uint64_t take(int ring)
{
    return drain_ring(NULL, &world.accounts, &world.rings[ring], &events, UINT64_MAX);
}

static void numbers_order_rings(void **state)
{
    put_alloc_seq(0, 0x1000, 10, 0);
    put_free_seq(1, 0x1000, 1);
    put_alloc_seq(2, 0x1000, 30, 2);
    assert_int_equal(take(2), 0);
    assert_int_equal(take(1), 0);
    assert_int_equal(take(0), 2);
    assert_int_equal(take(2), 0);
    assert_int_equal(take(1), 2);
    assert_int_equal(take(2), 2);
    assert_int_equal(world.image.account.now.native, 30);
    assert_int_equal(world.image.duplicate_allocations, 0);
    assert_int_equal(world.image.unknown_frees, 0);
}

static void rings_depend(void **state)
{
    put_alloc(0, 0x1000, 10);
    put(1, MT_OP_META | MT_META_DEPEND << 4);
    put(1, 0);
    put(1, 2);
    put(1, MT_OP_FREE | 0x1000ull << 16);
    assert_int_equal(take(1), 0);
    take(0);
    assert_int_equal(take(1), 4);
    assert_int_equal(world.image.account.now.native, 0);
}

static void moves_are_one_event(void **state)
{
    put_alloc(0, 0x1000, 100);
    put(0, MT_OP_REALLOC_BEGIN | 0x1000ull << 16);
    take(0);
    assert_int_equal(world.image.account.now.native, 100); /* live until it has moved */
    put(0, MT_OP_REALLOC_END | MT_DOMAIN_MALLOC << 4 | 150 << 8);
    put(0, 0x2000ull << 16);
    take(0);
    assert_int_equal(world.image.account.now.native, 150);
    assert_int_equal(world.image.account.now.blocks, 1);
    assert_int_equal(world.image.account.peak.best, 150);
}

static void sizes_are_counted(void **state)
{
    const struct sizes *sizes = &world.counting.sizes;
    static const uint64_t of_size[] = {0, 1, 2, 3, 4, 255, 256, 1ull << 40};
    for (size_t i = 0; i < 8; i++) {
        put(0, MT_OP_SIZE | (of_size[i] >> 24) << 4);
        put_alloc(0, 0x1000 * (i + 1), of_size[i] & 0xffffff);
    }
    take(0);
    static const int wanted[] = {[0] = 1, [1] = 1, [2] = 2, [3] = 1, [8] = 1, [9] = 1, [41] = 1};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        assert_int_equal(sizes->counts[i][MT_DOMAIN_MALLOC], wanted[i]);
    }
    assert_int_equal(sizes->counts[2][MT_DOMAIN_OBJ], 0);
}

static void put_free(int ring, uint64_t address)
{
    put(ring, MT_OP_FREE | address << 16);
}

static void put_bytes(int ring, const char *text)
{
    size_t size = strlen(text);
    put(ring, MT_OP_META | MT_META_BYTES << 4 | size << 12);
    for (size_t at = 0; at < size; at += 8) {
        uint64_t word = 0;
        memcpy(&word, text + at, size - at < 8 ? size - at : 8);
        put(ring, word);
    }
}

static void put_module(int ring, uint64_t number, const char *path, uint64_t base)
{
    put_bytes(ring, path);
    put_bytes(ring, "\x1f\xa0");
    put(ring, MT_OP_META | MT_META_MODULE << 4 | number << 12 | 2ull << 32);
    put(ring, base);
    put(ring, base);
    put(ring, strlen(path));
}

static void put_native(int ring, uint64_t node, uint64_t parent, uint64_t module, uint64_t address)
{
    put(ring, MT_OP_NODE | node << 4 | parent << 24);
    put(ring, address << 32 | MT_NATIVE | module << 16 | address >> 32);
}

/* One address in two modules, one after the other, is two callers; a caller may have one. */
static void native_callers(void **state)
{
    const struct definitions *d = &world.accounts.definitions;
    put_module(0, 1, "/lib/a.so", 0x7f0000001000);
    put_native(0, 1, 0, 1, 0x7f0000001234);
    put_module(0, 2, "/lib/b.so", 0x7f0000000000);
    put_native(0, 2, 0, 2, 0x7f0000001234);
    put_native(0, 3, 2, 9, 0x7f00deadbeef); /* of no module */
    for (uint64_t node = 1; node <= 3; node++) {
        put(0, MT_OP_ALLOC | MT_DOMAIN_MALLOC << 4 | 10 << 8);
        put(0, (0x1000 * node) << 16 | node);
    }
    take(0);
    assert_int_equal(d->n_natives, 4);
    assert_string_equal(d->strings[d->modules[1].path].bytes, "/lib/a.so");
    assert_string_equal(d->strings[d->modules[1].build_id].bytes, "1fa0");
    assert_int_equal(d->natives[1].address, 0x234);
    assert_int_equal(d->natives[2].module, 2);
    assert_int_equal(d->natives[2].address, 0x1234);
    assert_int_equal(d->natives[3].module, 0);
    assert_int_equal(d->natives[3].address, 0x7f00deadbeef);
    assert_int_equal(d->natives[3].parent, 2);
    for (uint32_t site = 1; site <= 3; site++) {
        assert_int_equal(d->sites[site].native, site);
        assert_int_equal(d->sites[site].node, 0);
    }
}

/* What a damaged ring says of modules: sizes that are not those of the text, numbers too large. */
static void modules_are_checked(void **state)
{
    put_bytes(0, "/lib/a.so");
    put(0, MT_OP_META | MT_META_MODULE << 4 | 1 << 12 | 1ull << 32);
    put(0, 0);
    put(0, 0);
    put(0, 1000);
    put_module(0, MT_MODULE_LIMIT, "/lib/a.so", 0);
    put_native(0, 1, 0, 1, 0x1234);
    take(0);
    assert_int_equal(world.accounts.definitions.n_modules, 1);
    assert_int_equal(world.accounts.definitions.natives[1].module, 0);
}

static void temporary_blocks(void **state)
{
    const uint64_t *temporary = &world.counting.sizes.temporary[MT_DOMAIN_MALLOC];
    put_alloc(0, 0x1000, 10);
    put_alloc(0, 0x2000, 10);
    put_free(0, 0x1000); /* another was allocated since */
    put_free(0, 0x2000);
    take(0);
    assert_int_equal(*temporary, 1);
    put_alloc(0, 0x3000, 10);
    put_alloc(1, 0x4000, 10);
    take(0);
    take(1);
    put_free(1, 0x3000); /* by another thread */
    put_free(0, 0x4000);
    take(1);
    take(0);
    assert_int_equal(*temporary, 1);
    put_alloc(0, 0x5000, 10);
    put(0, MT_OP_REALLOC_BEGIN | 0x5000ull << 16);
    put(0, MT_OP_REALLOC_END | MT_DOMAIN_MALLOC << 4 | 150 << 8);
    put(0, 0x6000ull << 16);
    put_alloc(1, 0x7000, 10); /* on another thread */
    take(0);
    take(1);
    put_free(0, 0x6000);
    take(0);
    assert_int_equal(*temporary, 2);
    assert_int_equal(world.counting.sizes.counts[8][MT_DOMAIN_MALLOC], 1);
}

static void moves_are_cancelled(void **state)
{
    put_alloc(0, 0x1000, 100);
    put(0, MT_OP_REALLOC_BEGIN | 0x1000ull << 16);
    put(0, MT_OP_REALLOC_CANCEL);
    put(0, MT_OP_FREE | 0x1000ull << 16);
    take(0);
    assert_int_equal(world.image.account.now.native, 0);
    assert_int_equal(world.image.unknown_frees, 0);
}

static void death_in_a_move_loses_nothing(void **state)
{
    put_alloc(0, 0x1000, 100);
    put(0, MT_OP_REALLOC_BEGIN | 0x1000ull << 16);
    take(0);
    drain_cancel_moves(&world.accounts, &world.rings[0]);
    struct block block;
    assert_int_equal(world.image.account.now.native, 100);
    assert_true(heapmap_take(&world.image.blocks, 0x1000, &block));
}

/* Another thread gets the address of a block that is being moved away. */
static void address_reused_during_a_move(void **state)
{
    put_alloc_seq(0, 0x1000, 100, 0);
    put(0, MT_OP_REALLOC_BEGIN_SEQ | 0x1000ull << 16);
    put(0, 1);
    put_alloc_seq(1, 0x1000, 7, 2);
    take(1);
    take(0);
    take(1);
    assert_int_equal(world.image.account.now.native, 107);
    put(0, MT_OP_REALLOC_END_SEQ | MT_DOMAIN_MALLOC << 4 | 200 << 8 | 3ull << 32);
    put(0, 0x2000ull << 16);
    take(0);
    assert_int_equal(world.image.account.now.native, 207);
    assert_int_equal(world.image.duplicate_allocations, 0);
}

static void holes_are_skipped(void **state)
{
    put_alloc_seq(0, 0x1000, 10, 5); /* 0 to 4 were taken and never written */
    assert_int_equal(take(0), 0);
    put_alloc_seq(1, 0x1000, 20, 3);
    assert_int_equal(drain_hole(&world.rings[0]), 5);
    assert_int_equal(drain_hole(&world.rings[1]), 3); /* happened before */
    drain_skip_hole(&world.rings[1]);
    assert_int_equal(take(1), 2);
    assert_int_equal(drain_hole(&world.rings[0]), 1);
    drain_skip_hole(&world.rings[0]);
    assert_int_equal(take(0), 2);
    assert_true(drain_hole(&world.rings[0]) == UINT64_MAX);
}

static void sizes_of_gigabytes(void **state)
{
    uint64_t size = 5ull << 32 | 12345;
    put(0, MT_OP_SIZE | size >> 24 << 4);
    put(0, MT_OP_ALLOC | MT_DOMAIN_MALLOC << 4 | (size & 0xffffff) << 8);
    put(0, 0x1000ull << 16);
    put_alloc(0, 0x9000, 3);
    take(0);
    assert_int_equal(world.image.account.now.native, size + 3);
}

static void put_gap(int ring, uint64_t count, uint64_t bytes)
{
    put(ring, MT_OP_META | MT_META_GAP << 4);
    put(ring, count);
    put(ring, bytes);
}

static void a_gap_explains_what_follows(void **state)
{
    put_alloc(0, 0x1000, 10);
    put_alloc(0, 0x2000, 1000);
    put(0, MT_OP_REALLOC_BEGIN | 0x2000ull << 16);
    put_gap(0, 7, 300); /* in it, the end of that move and a free of 0x1000 */
    put_alloc(0, 0x1000, 20);
    put(0, MT_OP_FREE | 0x5000ull << 16);
    put(0, MT_OP_REALLOC_END | MT_DOMAIN_MALLOC << 4 | 4 << 8);
    put(0, 0x6000ull << 16);
    take(0);
    assert_int_equal(world.image.gap_events, 7);
    assert_int_equal(world.image.gap_bytes, 300);
    assert_int_equal(world.image.duplicate_allocations, 0);
    assert_int_equal(world.image.unknown_frees, 0);
    assert_int_equal(world.image.account.now.native, 24);
    assert_int_equal(world.image.account.now.blocks, 2);
}

/* No record tells of it yet, in a ring that is not read yet. */
static void a_gap_in_another_ring(void **state)
{
    put_gap(1, 2, 50);
    world.shared[1].magic = MT_RING_MAGIC;
    world.shared[1].lost_events = 5;
    world.shared[1].lost_bytes = 60;
    put(0, MT_OP_FREE | 0x5000ull << 16);
    take(0);
    take(1);
    drain_last_gap(&world.rings[1]);
    assert_int_equal(world.image.unknown_frees, 0);
    assert_int_equal(world.image.gap_events, 5);
    assert_int_equal(world.image.gap_bytes, 60);
}

/* Killed after the real realloc, before its record: the old address is another thread's now. */
static void death_after_a_move(void **state)
{
    put_alloc_seq(0, 0x1000, 100, 0);
    put(0, MT_OP_REALLOC_BEGIN_SEQ | 0x1000ull << 16);
    put(0, 1);
    put_alloc_seq(1, 0x1000, 7, 2);
    take(0);
    take(1);
    drain_cancel_moves(&world.accounts, &world.rings[0]);
    struct block block;
    assert_int_equal(world.image.account.now.native, 7);
    assert_int_equal(world.image.duplicate_allocations, 0);
    assert_true(heapmap_take(&world.image.blocks, 0x1000, &block));
    assert_int_equal(block.size, 7);
}

static void what_cannot_be_is_counted(void **state)
{
    put_alloc(0, 0x1000, 10);
    put_alloc(0, 0x1000, 20);
    put(0, MT_OP_FREE | 0x5000ull << 16);
    take(0);
    assert_int_equal(world.image.duplicate_allocations, 1);
    assert_int_equal(world.image.unknown_frees, 1);
    assert_int_equal(world.image.account.now.native, 20);
}

static void damage_ends_a_ring(void **state)
{
    put(0, 0);
    put_alloc(0, 0x1000, 10);
    take(0);
    assert_int_equal(world.image.gap_events, 1);
    assert_int_equal(world.rings[0].tail, world.shared[0].head);
    assert_int_equal(world.image.account.now.native, 0);
}

static void maps_are_apart(void **state)
{
    put(0, MT_OP_META | MT_META_MAP << 4 | (uint64_t)MT_MAP_ANONYMOUS << 32);
    put(0, 0x100000);
    put(0, 0x5001);
    put(0, MT_SEQ_NONE);
    take(0);
    assert_int_equal(world.image.account.now.mapped, 0x6000);
    put(0, MT_OP_META | MT_META_UNMAP << 4);
    put(0, 0x101000);
    put(0, 0x1000);
    put(0, MT_SEQ_NONE);
    take(0);
    assert_int_equal(world.image.account.now.mapped, 0x5000);
    assert_int_equal(world.image.account.now.native, 0);
    assert_int_equal(world.image.account.peak.best, 0);
}

static void put_text(int ring, const char *text) /* of at most 8 bytes */
{
    uint64_t bytes = 0;
    memcpy(&bytes, text, strlen(text));
    put(ring, MT_OP_META | MT_META_BYTES << 4 | strlen(text) << 12);
    put(ring, bytes);
}

static void put_meta(int ring, uint64_t meta, uint64_t a, uint64_t b)
{
    put(ring, MT_OP_META | meta << 4 | a << 12 | b << 32);
}

static void what_the_program_says(void **state)
{
    put_text(0, "a");
    put_meta(0, MT_META_MARK, 0, 0);
    put_meta(0, MT_META_MARK, 0, 0); /* no name: the text was taken */
    put_text(0, "b");
    put_meta(0, MT_META_REGION_BEGIN, 0, 7);
    put_meta(0, MT_META_ASK, 0, 1);
    put_meta(0, MT_META_REGION_END, 0, 7);
    put(0, 2);
    put_meta(0, MT_META_PAUSE, 0, 3);
    put_meta(0, MT_META_RESUME, 0, 0);
    put_text(0, "worker");
    put_meta(0, MT_META_THREAD_NAME, 1, 0);
    put_meta(0, MT_META_PYTHON, MT_PYTHON_UNKNOWN, 0x030b02f0);
    take(0);
    assert_string_equal(said, "mark 0 a;mark 0 ;begin 7 b;ask 1 ;end 7 ;question 2 ;pause 3 ;"
                              "thread 1 worker;python 2 ;");
    assert_int_equal(world.rings[0].tail, world.shared[0].head);
}

static void pauses_are_no_errors(void **state)
{
    put_alloc(0, 0x1000, 100);
    put_meta(0, MT_META_PAUSE, 0, 1);
    put(0, MT_OP_FREE | 0x5000ull << 16); /* allocated while paused */
    put(0, MT_OP_REALLOC_BEGIN | 0x6000ull << 16);
    put(0, MT_OP_REALLOC_END | (uint64_t)(MT_DOMAIN_MALLOC | MT_DOMAIN_PAUSED) << 4 | 50 << 8);
    put(0, 0x7000ull << 16);
    put(0, MT_OP_REALLOC_BEGIN | 0x1000ull << 16);
    put(0, MT_OP_REALLOC_END | (uint64_t)(MT_DOMAIN_MALLOC | MT_DOMAIN_PAUSED) << 4 | 150 << 8);
    put(0, 0x2000ull << 16);
    take(0);
    assert_int_equal(world.image.unknown_frees, 0);
    assert_int_equal(world.image.paused_frees, 2);
    assert_int_equal(world.image.account.now.native, 150); /* what was recorded still is */
    put_meta(0, MT_META_RESUME, 0, 0);
    put(0, MT_OP_FREE | 0x2000ull << 16);
    take(0);
    assert_int_equal(world.image.account.now.blocks, 0);
}

static void own_blocks_have_a_frame_of_their_own(void **state)
{
    put_meta(0, MT_META_OWN, 1, 0);
    put_alloc(0, 0x1000, 100);
    put_meta(0, MT_META_OWN, 0, 0);
    put_alloc(0, 0x2000, 10);
    take(0);
    struct definitions *definitions = &world.accounts.definitions;
    struct cell *own = &world.accounts.cells[1], *other = &world.accounts.cells[2];
    assert_int_equal(own->bytes, 100);
    assert_int_equal(other->bytes, 10);
    uint32_t node = definitions->sites[own->site].node;
    struct string_record *file =
        &definitions->strings[definitions->functions[definitions->nodes[node].function].file];
    assert_memory_equal(file->bytes, "<memtrace>", file->size);
    assert_int_equal(definitions->sites[other->site].node, 0);
}

/* A mark waits for what other threads did before it; a death ends the wait. */
static void dead_rings_are_not_waited_for(void **state)
{
    put_meta(0, MT_META_DEPEND, 0, 0);
    put(0, 1);
    put(0, 9);
    put_meta(0, MT_META_MARK, 0, 0);
    assert_int_equal(take(0), 0);
    drain_skip_hole(&world.rings[0]);
    take(0);
    assert_string_equal(said, "mark 0 ;");
}

/* Each of these was written by somebody who had no business there. */
static void hostile_words_are_damage(void **state)
{
    world.shared[0].head = 1ull << 40; /* more than a ring can hold */
    take(0);
    assert_int_equal(world.image.gap_events, 1);
    assert_int_equal(world.rings[0].tail, 1ull << 40);
    put_text(1, "text");
    put_meta(1, MT_META_CODE, 0, 0);
    put(1, 7);
    put(1, 8ull << 32 | 8);
    put(1, 4 - 16ull); /* the three together wrap around to the size of the text */
    take(1);
    assert_int_equal(world.rings[1].codes[0].function, 0);
    put_meta(2, MT_META_BYTES, 0xfffff, 0); /* more than a ring holds */
    take(2);
    assert_int_equal(world.image.gap_events, 2);
}

static void addresses_that_cannot_be_are_nobodys(void **state)
{
    put_alloc(0, 0, 100);
    put_meta(0, MT_META_MAP, 1, 1);
    put(0, UINT64_MAX - 4095);
    put(0, 8192);
    put(0, MT_SEQ_NONE);
    take(0);
    assert_int_equal(world.accounts.all.now.native, 0);
    assert_int_equal(world.accounts.all.now.mapped, 0);
    assert_int_equal(world.image.maps.count, 0);
}

static void put_map(enum mt_meta meta, uint64_t start, uint64_t pages, uint32_t flags)
{
    put_meta(0, meta, 0, flags);
    put(0, start);
    put(0, pages * 4096);
    put(0, MT_SEQ_NONE);
}

/* Bytes of maps of a domain, and how many they are. */
static void expect_maps(enum mt_domain domain, int64_t pages, int64_t count)
{
    int64_t bytes = 0, ranges = 0;
    for (uint32_t id = 1; id < world.accounts.n_cells; id++) {
        struct cell *cell = &world.accounts.cells[id];
        bool is_domain = cell->site && cell->domain == domain;
        bytes += is_domain ? cell->bytes : 0;
        ranges += is_domain ? cell->blocks : 0;
    }
    assert_int_equal(bytes, pages * 4096);
    assert_int_equal(ranges, count);
}

static void maps_that_move_keep_their_kind(void **state)
{
    put_map(MT_META_MAP, 0x100000, 16, MT_MAP_FILE);
    put_map(MT_META_MAP, 0x200000, 8, MT_MAP_ANONYMOUS);
    put_map(MT_META_UNMAP, 0x104000, 4, MT_MAP_MOVED); /* out of its middle */
    take(0);
    assert_int_equal(world.accounts.all.now.mapped, 24 * 4096);
    expect_maps(MT_DOMAIN_FILE, 16, 3);
    put_map(MT_META_MAP, 0x300000, 5, MT_MAP_MOVED);
    take(0);
    expect_maps(MT_DOMAIN_FILE, 17, 3);
    expect_maps(MT_DOMAIN_MMAP, 8, 1);
    put_map(MT_META_UNMAP, 0x100000, 0x400, 0);
    take(0);
    expect_maps(MT_DOMAIN_FILE, 0, 0);
    expect_maps(MT_DOMAIN_MMAP, 0, 0);
    assert_int_equal(world.image.maps.count, 0);
}

static void maps_that_do_not_move_stay(void **state)
{
    put_map(MT_META_MAP, 0x100000, 16, MT_MAP_FILE);
    put_map(MT_META_UNMAP, 0x100000, 16, MT_MAP_MOVED);
    put_map(MT_META_MAP, 0x100000, 16, MT_MAP_BACK);
    take(0);
    expect_maps(MT_DOMAIN_FILE, 16, 1);
    assert_int_equal(world.accounts.cells[1].allocations, 1); /* nothing new */
    put_map(MT_META_UNMAP, 0x100000, 16, MT_MAP_MOVED);
    take(0);
    drain_cancel_moves(&world.accounts, &world.rings[0]); /* a death */
    expect_maps(MT_DOMAIN_FILE, 16, 1);
    assert_int_equal(world.image.maps.count, 1);
    put_map(MT_META_UNMAP, 0x100000, 16, MT_MAP_MOVED);
    put_map(MT_META_MAP, 0, 0, MT_MAP_MOVED); /* what it became is not recorded */
    take(0);
    expect_maps(MT_DOMAIN_FILE, 0, 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(numbers_order_rings),
        CASE(hostile_words_are_damage),
        CASE(addresses_that_cannot_be_are_nobodys),
        CASE(maps_that_move_keep_their_kind),
        CASE(maps_that_do_not_move_stay),
        CASE(rings_depend),
        CASE(moves_are_one_event),
        CASE(sizes_are_counted),
        CASE(native_callers),
        CASE(modules_are_checked),
        CASE(temporary_blocks),
        CASE(moves_are_cancelled),
        CASE(death_in_a_move_loses_nothing),
        CASE(address_reused_during_a_move),
        CASE(holes_are_skipped),
        CASE(sizes_of_gigabytes),
        CASE(a_gap_explains_what_follows),
        CASE(a_gap_in_another_ring),
        CASE(death_after_a_move),
        CASE(what_cannot_be_is_counted),
        CASE(damage_ends_a_ring),
        CASE(maps_are_apart),
        CASE(what_the_program_says),
        CASE(pauses_are_no_errors),
        CASE(own_blocks_have_a_frame_of_their_own),
        CASE(dead_rings_are_not_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
