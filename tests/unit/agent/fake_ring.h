/*
 * A ring without a session, and a reader of its definitions: what the collector would know of
 * each node.
 */
#ifndef TESTS_FAKE_RING_H
#define TESTS_FAKE_RING_H

#include <stdbool.h>
#include <stdint.h>

#include "thread.h"

/* Gives the thread a ring of that many words (a power of two, at least 512). */
void fake_ring_start(struct thread *thread, uint64_t words);
void fake_ring_stop(struct thread *thread);
/* Takes in all that was written. */
void fake_ring_drain(void);

struct fake_node {
    uint32_t parent, code, instruction;
    bool defined;
};
/* NULL: not defined. */
const struct fake_node *fake_ring_node(uint32_t node);
/* The number that is the name of a code; 0: not defined. */
uint32_t fake_ring_code(uint32_t code);
/* How often all was forgotten, and how often the writer waited for room. */
uint32_t fake_ring_resets(void);
uint32_t fake_ring_waits(void);

#endif
