/*
 * The ring without a session (fake_ring.h).  In a unit test; what sleeps in the
 * agent for the collector drains here.
 */
#include "fake_ring.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "session.h"

#define CODES 65536

struct session session;
union session_live session_live;

static struct mt_control control;
static struct {
    struct thread *thread;
    uint64_t tail;
    struct fake_node *nodes;
    uint32_t codes[CODES];
    char text[8192];
    size_t text_size;
    uint32_t resets, waits;
} reader;

/* ---- what the agent's modules ask of others ---- */

bool session_path(char path[SESSION_PATH_MAX], const char *name)
{
    return false;
}

bool session_off(const char *why)
{
    fail_msg("tracing was turned off: %s", why ? why : "no reason");
    return false;
}

uint32_t thread_count(void)
{
    return 64;
}

void __wrap_sys_wait(_Atomic uint32_t *word, uint32_t value, unsigned timeout_ms);
void __wrap_sys_wait(_Atomic uint32_t *word, uint32_t value, unsigned timeout_ms)
{
    reader.waits++;
    fake_ring_drain();
}

/* ---- the ring ---- */

void fake_ring_start(struct thread *thread, uint64_t words)
{
    size_t bytes = words * 8;
    int fd = memfd_create("ring", 0);
    assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
    uint8_t *start = mmap(NULL, 2 * bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int copy = 0; copy < 2; copy++) {
        mmap(start + (size_t)copy * bytes, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
            fd, 0);
    }
    close(fd);
    control.state = MT_STATE_RUNNING;
    control.collector_pid = getpid();
    session = (struct session){.control = &control, .wanted = true};
    thread->ring = aligned_alloc(64, sizeof(struct mt_ring));
    memset(thread->ring, 0, sizeof(struct mt_ring));
    thread->words = (uint64_t *)start;
    thread->mask = words - 1;
    thread->head = 0;
    thread->limit = words;
    memset(&reader, 0, sizeof(reader));
    reader.thread = thread;
    reader.nodes = calloc(MT_NODE_LIMIT, sizeof(struct fake_node));
}

void fake_ring_stop(struct thread *thread)
{
    munmap(thread->words, 2 * (thread->mask + 1) * 8);
    free(thread->ring);
    free(reader.nodes);
}

/* ---- the reader ---- */

static uint64_t word(uint64_t ahead)
{
    return reader.thread->words[(reader.tail + ahead) & reader.thread->mask];
}

static void take_node(void)
{
    uint32_t id = word(0) >> 4 & 0xfffff, parent = word(0) >> 24 & 0xfffff;
    uint32_t code = (uint32_t)word(1);
    assert_in_range(id, 1, MT_NODE_LIMIT - 1);
    assert_true(parent == 0 || reader.nodes[parent].defined);
    assert_int_not_equal(fake_ring_code(code), 0);
    reader.nodes[id] = (struct fake_node){parent, code, (uint32_t)(word(1) >> 32), true};
}

static void take_code(uint32_t id)
{
    uint64_t file = (uint32_t)word(2), name = word(2) >> 32, table = word(3);
    assert_int_equal(file + name + table, reader.text_size);
    assert_in_range(id, 0, CODES - 1);
    reader.text[file + name] = 0;
    reader.codes[id] = (uint32_t)strtoul(reader.text + file, NULL, 10);
    reader.text_size = 0;
}

static void forget(void)
{
    memset(reader.nodes, 0, MT_NODE_LIMIT * sizeof(struct fake_node));
    memset(reader.codes, 0, sizeof(reader.codes));
    reader.resets++;
}

static uint64_t take_meta(void)
{
    uint32_t a = word(0) >> 12 & 0xfffff;
    switch (word(0) >> 4 & 0xff) {
    case MT_META_BYTES:
        assert_in_range(reader.text_size + a, 0, sizeof(reader.text) - 1);
        for (uint32_t i = 0; i < a; i++) {
            reader.text[reader.text_size++] = (char)(word(1 + i / 8) >> 8 * (i % 8));
        }
        return 1 + (a + 7) / 8;
    case MT_META_CODE:
        take_code(a);
        return 4;
    case MT_META_RESET:
        forget();
        return 1;
    default:
        fail_msg("a record that does not belong here");
        return 0;
    }
}

void fake_ring_drain(void)
{
    uint64_t head = reader.thread->ring->head;
    while (reader.tail < head) {
        if ((word(0) & 15) == MT_OP_NODE) {
            take_node();
            reader.tail += 2;
        } else {
            assert_int_equal(word(0) & 15, MT_OP_META);
            reader.tail += take_meta();
        }
    }
    assert_int_equal(reader.tail, head);
    reader.thread->ring->tail = reader.tail;
}

const struct fake_node *fake_ring_node(uint32_t node)
{
    return node < MT_NODE_LIMIT && reader.nodes[node].defined ? &reader.nodes[node] : NULL;
}

uint32_t fake_ring_code(uint32_t code)
{
    return code < CODES ? reader.codes[code] : 0;
}

uint32_t fake_ring_resets(void)
{
    return reader.resets;
}

uint32_t fake_ring_waits(void)
{
    return reader.waits;
}
