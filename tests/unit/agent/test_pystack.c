/*
 * Stacks against a model: programs at random on an interpreter made of bytes.
 * After every few steps the node that pystack_node returns must mean, by the
 * definitions in the ring, exactly the frames that the model has on its stack.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "fake_python.h"
#include "fake_ring.h"
#include "intern.h"
#include "pystack.h"
#include "python.h"

static struct fake_python fake;
static struct thread thread;
static uint64_t seed;

static uint32_t choose(uint32_t n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 20) % n;
}

static void start(uint16_t version, uint32_t limit, uint64_t words)
{
    seed = 88172645463325252ull + version % FAKE_FREE_THREADED;
    memset(&thread, 0, sizeof(thread));
    fake_start(&fake, version, limit);
    fake_ring_start(&thread, words);
    assert_true(intern_setup(&thread) && pystack_setup(&thread));
}

static void stop(void)
{
    intern_discard(&thread);
    pystack_discard(&thread);
    fake_ring_stop(&thread);
    fake_stop(&fake);
}

/* Frames of the model from the innermost out, nodes from the returned one up. */
static void check(void)
{
    uint32_t id = pystack_node(&thread, (uintptr_t)fake.state);
    fake_ring_drain();
    for (uint32_t level = fake.stack->depth; level-- > 0;) {
        const struct fake_frame *frame = &fake.stack->frames[level];
        uint32_t offset;
        if (!fake_is_shown(frame, &offset)) {
            continue;
        }
        const struct fake_node *node = fake_ring_node(id);
        if (!node || fake_ring_code(node->code) != frame->code->number ||
            node->instruction != offset) {
            fail_msg("level %u of %u: node %u is code %u at %u, not code %u at %u", level,
                fake.stack->depth, id, node ? fake_ring_code(node->code) : 0,
                node ? node->instruction : 0, frame->code->number, offset);
        }
        id = node->parent;
    }
    assert_int_equal(id, 0);
}

/* ---- programs at random ---- */

static int32_t some_offset(void)
{
    return 2 * (int32_t)choose(choose(4) ? 6 : 100);
}

/* Calls where `up` is large, returns where it is small. */
static void step(uint32_t up)
{
    switch (choose(12)) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4:
        if (choose(10) < up) {
            fake_step(&fake, some_offset());
            fake_call(&fake, choose(FAKE_CODES), choose(4) == 0);
        } else {
            fake_return(&fake);
        }
        break;
    case 5:
    case 6:
        fake_resume(&fake, choose(1000));
        break;
    case 7:
        fake_yield(&fake);
        break;
    case 8:
        fake_replace_code(&fake, choose(1000));
        break;
    default:
        fake_step(&fake, some_offset());
    }
}

static void rare_step(void)
{
    switch (choose(9)) {
    case 0:
    case 1:
        fake_switch(&fake, choose(FAKE_STACKS));
        break;
    case 2:
        pystack_forget(&thread); /* as when the thread's state goes to another thread */
        break;
    case 3:
        intern_distrust();
        break;
    case 4:
        fake_free_copies(&fake);
        break;
    case 5:
        for (uint32_t n = choose(3) * 700; n > 0; n--) { /* more deaths than are remembered */
            fake_replace_code(&fake, choose(1000));
        }
        break;
    default:
        if (fake.stack->depth) {
            fake_jump(&fake, choose(fake.stack->depth), some_offset());
        }
    }
}

static void run_at_random(uint16_t version, uint32_t limit, uint64_t words, uint32_t steps)
{
    start(version, limit, words);
    uint32_t up = 5, gap = 1;
    for (uint32_t i = 0; i < steps; i++) {
        if (i % 512 == 0) {
            up = 2 + choose(7);
            gap = 1 + choose(4) * choose(8);
        }
        if (choose(60) == 0) {
            rare_step();
        } else {
            step(up);
        }
        if (i % gap == 0) {
            check();
        }
    }
    assert_true(fake_ring_resets() > 2);
    assert_true(words > 512 || fake_ring_waits() > 0);
    stop();
}

static const uint16_t versions[] = {
    0x0308, 0x0309, 0x030a, 0x030b, 0x030c, 0x030d, 0x030e, 0x030e | FAKE_FREE_THREADED};
#define VERSIONS (sizeof(versions) / sizeof(versions[0]))

static void test_at_random(void **state)
{
    for (size_t i = 0; i < VERSIONS; i++) {
        run_at_random(versions[i], 300, 1 << 16, 200000);
    }
}

static void test_small_ring(void **state)
{
    for (size_t i = 0; i < VERSIONS; i++) {
        run_at_random(versions[i], 2000, 512, 60000);
    }
}

/* ---- deep stacks ---- */

static void grow_to(uint32_t depth)
{
    while (fake.stack->depth < depth) {
        fake_step(&fake, 8);
        fake_call(&fake, fake.stack->depth % 7 ? 1 : 2, fake.stack->depth % 1000 == 0);
        fake_step(&fake, 6);
    }
}

/* Up, a change near the root, down, up again: everything is interned a few times. */
static void run_deep(uint16_t version, uint32_t depth)
{
    start(version, depth + 16, 1 << 12);
    for (uint32_t round = 0; round < 8; round++) {
        for (uint32_t part = 1; part <= 4; part++) {
            grow_to(depth / 4 * part);
            check();
        }
        fake_jump(&fake, 3, 10 + 2 * (int32_t)round);
        check();
        while (fake.stack->depth > depth / 8 * round) {
            fake_return(&fake);
        }
        check();
    }
    stop();
}

static void test_deep(void **state)
{
    for (size_t i = 0; i < VERSIONS; i++) {
        run_deep(versions[i], 100000);
    }
}

/* Two such stacks have more nodes than there are numbers. */
static void test_very_deep(void **state)
{
    run_deep(0x030c, 300000);
}

/* ---- what the random programs may miss ---- */

/* `a = f()` and `b = f()` on two lines: the same frame of f, twice. */
static void test_frame_used_again(void **state)
{
    start(0x030c, 300, 1 << 12);
    fake_call(&fake, 1, false);
    for (int32_t line = 0; line < 20; line++) {
        fake_step(&fake, 10 + 2 * line);
        fake_call(&fake, 2, false);
        fake_step(&fake, 20);
        check();
        fake_return(&fake);
    }
    stop();
}

/* A code dies and another takes its place, in the same frame and at the same instruction. */
static void test_code_used_again(void **state)
{
    start(0x030c, 300, 1 << 12);
    fake_call(&fake, 1, false);
    fake_step(&fake, 10);
    for (int i = 0; i < 20; i++) {
        fake_call(&fake, 2, false);
        fake_step(&fake, 20);
        check();
        fake_return(&fake);
        assert_true(fake_replace_code(&fake, 2));
    }
    stop();
}

/* A thread's copy of the bytecode goes, and its place is another's of the same or another code. */
static void test_copy_used_again(void **state)
{
    start(0x030e | FAKE_FREE_THREADED, 300, 1 << 12);
    fake_call(&fake, 1, false);
    fake_step(&fake, 10);
    for (uint32_t i = 0; i < 40; i++) {
        fake_resume(&fake, 49 + 7 * FAKE_GENERATORS * (i % 2)); /* anew, of one of two codes */
        check();
        if (i % 4 < 2) {
            fake_step(&fake, 20);
            check();
        }
        fake_yield(&fake);
        fake_free_copies(&fake);
    }
    stop();
}

/* More children than a node holds inline, the same ones under many nodes, each met twice. */
static void test_many_children(void **state)
{
    start(0x0308, 300, 1 << 12);
    fake_call(&fake, 3, false); /* these have a line for each instruction */
    for (int32_t parent = 0; parent < 80; parent++) {
        fake_step(&fake, 2 * (parent % 40));
        fake_call(&fake, 7, false);
        for (int32_t child = 0; child < 90; child++) {
            fake_step(&fake, 2 * child);
            check();
        }
        fake_return(&fake);
    }
    assert_int_equal(fake_ring_resets(), 0);
    stop();
}

/* A function that calls itself in two places of one line has as many stacks as it is deep. */
static void call_twice(uint32_t depth)
{
    if (depth) {
        for (int32_t place = 0; place < 2; place++) {
            fake_step(&fake, 8 + 2 * place);
            fake_call(&fake, 2, false);
            call_twice(depth - 1);
            fake_return(&fake);
        }
    }
    fake_step(&fake, 14);
    check();
}

static void test_calls_of_a_line(void **state)
{
    for (size_t i = 0; i < VERSIONS; i++) {
        start(versions[i], 300, 1 << 12);
        fake_call(&fake, 2, false);
        call_twice(10);
        assert_int_equal(thread.n_nodes, 12);
        stop();
    }
}

static void test_no_python(void **state)
{
    start(0x030c, 300, 1 << 12);
    assert_int_equal(pystack_node(&thread, 0), 0);
    check(); /* a state without a frame */
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_python),
        cmocka_unit_test(test_frame_used_again),
        cmocka_unit_test(test_code_used_again),
        cmocka_unit_test(test_copy_used_again),
        cmocka_unit_test(test_many_children),
        cmocka_unit_test(test_calls_of_a_line),
        cmocka_unit_test(test_at_random),
        cmocka_unit_test(test_small_ring),
        cmocka_unit_test(test_deep),
        cmocka_unit_test(test_very_deep),
    };
    return cmocka_run_group_tests_name("pystack", tests, NULL, NULL);
}
