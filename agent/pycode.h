/*
 * Reads a code object out of the interpreter's memory and defines it in the ring.
 */
#ifndef AGENT_PYCODE_H
#define AGENT_PYCODE_H

#include <stdbool.h>

#include "thread.h"

/* Fills base and first of code (address and id are given) and writes its definition: names,
   first line, line table.  False if what lies there is no code object. */
bool pycode_read(struct thread *thread, struct code *code);

#endif
