/*
 * The Python stack of the calling thread, as a node of its trie.
 */
#ifndef AGENT_PYSTACK_H
#define AGENT_PYSTACK_H

#include <stdbool.h>
#include <stdint.h>

#include "thread.h"

bool pystack_setup(struct thread *thread);
void pystack_discard(struct thread *thread);
/* Forgets the cached stack: another thread will use this state. */
void pystack_forget(struct thread *thread);

/* The node of the stack that hangs off a thread state of the interpreter (its address; 0:
   no Python, node 0).  Exact: equals a full walk at this moment. */
uint32_t pystack_node(struct thread *thread, uintptr_t state);
/* The same where the stack has changed at its innermost end alone, and no code has died; false, and
   pystack_node must be asked, where it is not found to be so.  `state` is not 0. */
bool pystack_hop(struct thread *thread, uintptr_t state, uint32_t *node);

#endif
