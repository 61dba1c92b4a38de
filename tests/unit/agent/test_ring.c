/*
 * A thread that waits for room in its ring (ring.c): how long, and what for.  Time is the test's:
 * a sleep in the agent takes what it says, and the collector does there what the test wants.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "ring.h"
#include "session.h"

#define WORDS 64

struct session session;
union session_live session_live;

static struct mt_control control;
static struct mt_ring ring;
static uint64_t words[2 * WORDS];
static struct thread thread;
static struct {
    uint64_t clock_ms, drains_at_ms;
    unsigned complaints;
    _Atomic uint64_t *moves; /* what the collector moves in each sleep; NULL: it stands still */
} fake;

bool session_path(char path[SESSION_PATH_MAX], const char *name)
{
    return false;
}

bool session_off(const char *why)
{
    fail_msg("tracing was turned off: %s", why ? why : "no reason");
    return false;
}

uint64_t __wrap_sys_clock_ms(void);
uint64_t __wrap_sys_clock_ms(void)
{
    return fake.clock_ms;
}

void __wrap_sys_wait(_Atomic uint32_t *word, uint32_t value, unsigned timeout_ms);
void __wrap_sys_wait(_Atomic uint32_t *word, uint32_t value, unsigned timeout_ms)
{
    fake.clock_ms += timeout_ms;
    if (fake.moves) {
        atomic_fetch_add(fake.moves, 1);
    }
    if (fake.clock_ms >= fake.drains_at_ms) {
        atomic_store(&ring.tail, thread.head);
    }
}

void __wrap_sys_complain(const char *part, ...);
void __wrap_sys_complain(const char *part, ...)
{
    fake.complaints++;
}

/* A full ring, of a collector that empties it then. */
static int start(void **state)
{
    memset(&control, 0, sizeof(control));
    memset(&ring, 0, sizeof(ring));
    memset(&thread, 0, sizeof(thread));
    memset(&fake, 0, sizeof(fake));
    static uint64_t starts; /* where one thread gave up others do: not at the same time */
    atomic_store(&control.clock_us, 1000 * ++starts);
    control.state = MT_STATE_RUNNING;
    control.collector_pid = getpid();
    session = (struct session){.control = &control, .wanted = true};
    thread.ring = &ring;
    thread.words = words;
    thread.mask = WORDS - 1;
    thread.head = thread.limit = WORDS;
    return 0;
}

static void wait_and_see(bool has_room)
{
    assert_int_equal(ring_wait(&thread, 1), has_room);
    assert_int_equal(thread.in_gap, !has_room);
    assert_int_equal(fake.complaints, !has_room);
}

static void one_that_stands_still(void **state)
{
    fake.drains_at_ms = 60000;
    wait_and_see(false);
    assert_in_range(fake.clock_ms, 10000, 10500);
}

static void one_that_goes_on_in_time(void **state)
{
    fake.drains_at_ms = 9000;
    wait_and_see(true);
    assert_in_range(fake.clock_ms, 9000, 9100);
}

static void one_whose_clock_moves(void **state)
{
    fake.moves = &control.clock_us;
    fake.drains_at_ms = 60000;
    wait_and_see(true);
}

/* Its rounds take longer than anybody's patience, but it works. */
static void one_that_is_slow(void **state)
{
    fake.moves = &control.work;
    fake.drains_at_ms = 60000;
    wait_and_see(true);
}

/* Somebody has written over a ring: the collector works, and never takes anything from it. */
static void one_that_waits_for_what_never_comes(void **state)
{
    fake.moves = &control.clock_us;
    fake.drains_at_ms = UINT64_MAX;
    wait_and_see(false);
    assert_in_range(fake.clock_ms, 120000, 120500);
}

/* No slot is free: nobody gets a ring, and no number is used up by those who ask. */
static void no_slot(void **state)
{
    struct thread other = {0};
    control.slots_count = 4;
    atomic_store(&control.rings_used, UINT32_MAX - 1); /* numbers wrap */
    atomic_store(&control.rings_gone, UINT32_MAX - 5);
    for (uint32_t i = 0; i < 4; i++) {
        atomic_store(&control.slots[i].word, mt_slot_word(MT_SLOT_READY, getpid(), i));
    }
    assert_false(ring_create(&other));
    assert_in_range(fake.clock_ms, 2000, 2100);
    assert_int_equal(control.rings_used, UINT32_MAX - 1);
    assert_int_equal(control.rings_gone, UINT32_MAX - 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(one_that_stands_still, start),
        cmocka_unit_test_setup(one_that_goes_on_in_time, start),
        cmocka_unit_test_setup(one_whose_clock_moves, start),
        cmocka_unit_test_setup(one_that_is_slow, start),
        cmocka_unit_test_setup(one_that_waits_for_what_never_comes, start),
        cmocka_unit_test_setup(no_slot, start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
