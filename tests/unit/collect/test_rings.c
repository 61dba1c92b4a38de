/*
 * Rings and images of a session whose agent is this test: a slot that is claimed
 * and not made ready keeps nobody waiting, the last round has an end, and of what
 * is over little is kept.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collect/images.h"
#include "collect/rings.h"
#include "memtrace/format.h"

#define PROGRAMS 1000
#define TIME(us) (MT_OP_TIME | (uint64_t)(us) << 4)

static int start(void **state)
{
    struct collector *collector;
    char path[] = "/tmp/memtrace-rings-XXXXXX";
    assert_int_equal(session_create(&collector, 10, 0), 0);
    session_output(collector, mkstemp(path), path, "{}");
    unlink(path);
    collector->main_pid = getpid();
    *state = collector;
    return 0;
}

static int stop(void **state)
{
    session_abandon(*state);
    return 0;
}

static void set_slot(struct collector *collector, uint32_t number, enum mt_slot_state state)
{
    struct mt_slot *slot = mt_slot_of(collector->shared.control, number);
    atomic_store(&slot->word, mt_slot_word(state, getpid(), number));
}

static void claim(struct collector *collector, uint32_t number)
{
    set_slot(collector, number, MT_SLOT_CLAIMED);
    atomic_store(&collector->shared.control->rings_used, number + 1);
}

static struct mt_ring *make_ready(struct collector *collector, uint32_t number)
{
    char path[SHARED_PATH_MAX + 32];
    size_t size = MT_RING_HEADER + collector->shared.control->ring_bytes;
    snprintf(path, sizeof(path), "%s/%s%u", collector->shared.directory, MT_RING_NAME, number);
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
    assert_true(fd >= 0 && ftruncate(fd, (off_t)size) == 0);
    struct mt_ring *ring = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_ptr_not_equal(ring, MAP_FAILED);
    close(fd);
    ring->magic = MT_RING_MAGIC;
    ring->version = MT_RING_VERSION;
    ring->pid = getpid();
    ring->image = 1;
    ring->words = collector->shared.control->ring_bytes / 8;
    set_slot(collector, number, MT_SLOT_READY);
    return ring;
}

static void publish(struct mt_ring *ring, uint64_t word)
{
    uint64_t head = atomic_load(&ring->head);
    uint64_t *words = (uint64_t *)((uint8_t *)ring + MT_RING_HEADER);
    words[head & (ring->words - 1)] = word;
    atomic_store_explicit(&ring->head, head + 1, memory_order_release);
}

static void unmap(const struct collector *collector, struct mt_ring *ring)
{
    munmap(ring, MT_RING_HEADER + collector->shared.control->ring_bytes);
}

static void test_claimed(void **state)
{
    struct collector *collector = *state;
    claim(collector, 0);
    claim(collector, 1);
    struct mt_ring *second = make_ready(collector, 1);
    publish(second, TIME(1));
    rings_open(collector);
    assert_null(collector->rings[0]);
    assert_non_null(collector->rings[1]);
    assert_true(rings_drain(collector) > 0);
    assert_false(images_events.reached(collector, 0, 1));
    assert_true(images_events.reached(collector, 1, 1));

    struct mt_ring *first = make_ready(collector, 0);
    publish(first, TIME(2));
    rings_open(collector);
    assert_non_null(collector->rings[0]);
    assert_false(images_events.reached(collector, 0, 1));
    rings_drain(collector);
    assert_true(images_events.reached(collector, 0, 1));
    unmap(collector, first);
    unmap(collector, second);
}

/* A thread of the program's that never pauses. */
struct busy {
    struct mt_ring *ring;
    _Atomic bool stop;
};

static void *keep_publishing(void *data)
{
    struct busy *busy = data;
    while (!atomic_load(&busy->stop)) {
        if (atomic_load(&busy->ring->head) - atomic_load(&busy->ring->tail) < busy->ring->words) {
            publish(busy->ring, TIME(3));
        }
    }
    return NULL;
}

static void test_last_round(void **state)
{
    struct collector *collector = *state;
    pthread_t thread;
    claim(collector, 0);
    struct busy busy = {.ring = make_ready(collector, 0)};
    publish(busy.ring, TIME(1));
    rings_open(collector);
    struct ring *ring = collector->rings[0];
    assert_int_equal(pthread_create(&thread, NULL, keep_publishing, &busy), 0);
    while (rings_drain(collector) < 1000) {
    }
    rings_bound(collector);
    while (rings_drain(collector)) {
    }
    assert_int_equal(ring->tail, ring->bound);
    while (atomic_load(&busy.ring->head) < ring->bound + 1000) { /* there would be more */
    }
    assert_int_equal(rings_drain(collector), 0);
    claim(collector, 1);
    struct mt_ring *other = make_ready(collector, 1);
    rings_open(collector);
    assert_int_equal(collector->n_slots, 1);
    atomic_store(&busy.stop, true);
    pthread_join(thread, NULL);
    unmap(collector, other);
    unmap(collector, busy.ring);
}

static uint64_t store_bytes(const struct collector *collector)
{
    struct stat status;
    int fd = shared_store(&collector->shared, false);
    assert_int_equal(fstat(fd, &status), 0);
    close(fd);
    return (uint64_t)status.st_blocks * 512;
}

/* Of processes that are over little stays. */
static void test_many_images(void **state)
{
    struct collector *collector = *state;
    uint64_t before = store_bytes(collector);
    for (int i = 0; i < PROGRAMS; i++) {
        session_adopt(collector, getpid(), "/bin/x", "x"); /* by exec out of the one before */
    }
    assert_int_equal(collector->n_images, PROGRAMS);
    assert_true(store_bytes(collector) - before < PROGRAMS * 1500);
    images_finish(collector, collector->images[PROGRAMS - 1], MT_STATUS_RUNNING);
}

/* A ring that comes when its process was finished is not read. */
static void test_too_late(void **state)
{
    struct collector *collector = *state;
    claim(collector, 0);
    struct mt_ring *first = make_ready(collector, 0);
    publish(first, TIME(1));
    rings_open(collector);
    images_finish(collector, collector->images[0], MT_STATUS_EXEC);
    claim(collector, 1);
    struct mt_ring *second = make_ready(collector, 1);
    publish(second, TIME(2));
    rings_open(collector);
    assert_null(collector->rings[1]);
    assert_int_equal(rings_drain(collector), 0);
    assert_true(images_events.reached(collector, 1, 1)); /* nobody waits for it */
    unmap(collector, first);
    unmap(collector, second);
}

static struct mt_ring *make_of_image(struct collector *collector, uint32_t number, uint32_t image)
{
    claim(collector, number);
    struct mt_ring *ring = make_ready(collector, number);
    ring->image = image;
    ring->pid = image == 1 ? getppid() : getpid();
    publish(ring, TIME(1));
    return ring;
}

/* Slots serve again when their rings are closed; ring 2 would have had that of ring 0, which lives.
 */
static void test_slots_again(void **state)
{
    struct collector *collector = *state;
    struct mt_ring *rings[4];
    collector->shared.control->slots_count = 2;
    rings[0] = make_of_image(collector, 0, 1);
    rings[1] = make_of_image(collector, 1, 2);
    rings_open(collector);
    rings_drain(collector);
    images_finish(collector, collector->images[1], MT_STATUS_EXEC);
    rings[3] = make_of_image(collector, 3, 3);
    rings_open(collector);
    assert_non_null(rings_find(collector, 0));
    assert_null(rings_find(collector, 1));
    assert_null(rings_find(collector, 2));
    assert_non_null(rings_find(collector, 3));
    assert_false(images_events.reached(collector, 3, 1));
    assert_true(images_events.reached(collector, 1, 1000));
    assert_int_equal(rings_drain(collector), 1);
    assert_true(images_events.reached(collector, 3, 1));

    images_finish(collector, collector->images[0], MT_STATUS_EXEC);
    rings[2] = make_of_image(collector, 4, 4); /* in the slot that 2 did not get */
    rings_open(collector);
    assert_non_null(rings_find(collector, 4));
    assert_int_equal(collector->n_late, 0);
    for (int i = 0; i < 4; i++) {
        unmap(collector, rings[i]);
    }
}

/* The program has written over the numbers that say where rings are: those that are made still
   come, in no more time than it takes to look at them. */
static void test_written_over(void **state)
{
    static const uint32_t numbers[] = {UINT32_MAX, 0x7fffffff, 0};
    struct collector *collector = *state;
    struct mt_control *control = collector->shared.control;
    claim(collector, 0);
    unmap(collector, make_ready(collector, 0));
    rings_open(collector);
    for (uint32_t i = 0; i < 3; i++) {
        uint32_t number = 1 + i;
        atomic_store(&control->rings_used, numbers[i]);
        rings_open(collector);
        assert_int_equal(atomic_load(&control->rings_used), number);
        assert_int_equal(collector->n_late, 0);
        claim(collector, number);
        unmap(collector, make_ready(collector, number));
        rings_open(collector);
        assert_non_null(rings_find(collector, number));
    }
    control->slots_count = 2;
    claim(collector, 4);
    unmap(collector, make_ready(collector, 4));
    control->slots_count = UINT32_MAX;
    rings_open(collector);
    rings_drain(collector);
    control->slots_count = MT_SLOTS;
    assert_non_null(rings_find(collector, 3));
    images_finish(collector, collector->images[0], 0);
}

/* Numbers that no process and no thread has, and that a trace cannot have. */
static void test_numbers_of_nobody(void **state)
{
    struct collector *collector = *state;
    static const int numbers[] = {-5, 0, INT32_MAX};
    for (uint32_t i = 0; i < 3; i++) {
        claim(collector, i);
        struct mt_ring *ring = make_ready(collector, i);
        ring->pid = numbers[i];
        ring->image = 1 + i;
        publish(ring, MT_OP_META | MT_META_THREAD << 4 | (uint64_t)(uint32_t)numbers[i] << 32);
        rings_open(collector);
        rings_drain(collector);
        assert_int_equal(rings_find(collector, i)->tid, 0);
        assert_in_range(rings_find(collector, i)->image->pid, 1, INT32_MAX - 1);
        unmap(collector, ring);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_claimed, start, stop),
        cmocka_unit_test_setup_teardown(test_last_round, start, stop),
        cmocka_unit_test_setup_teardown(test_many_images, start, stop),
        cmocka_unit_test_setup_teardown(test_too_late, start, stop),
        cmocka_unit_test_setup_teardown(test_slots_again, start, stop),
        cmocka_unit_test_setup_teardown(test_written_over, start, stop),
        cmocka_unit_test_setup_teardown(test_numbers_of_nobody, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
