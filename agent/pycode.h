/*
 * Reads a code object out of the interpreter's memory and defines it in the ring.
 */
#ifndef AGENT_PYCODE_H
#define AGENT_PYCODE_H

#include <stdbool.h>

#include <stdint.h>

#include "thread.h"

struct pytext {
    const void *data;
    uint64_t bytes;
    uint32_t width; /* bytes of a character; 0: UTF-8 */
};

/* The characters of a str; false if it has none to be read. */
bool pycode_text(uintptr_t object, struct pytext *text);

/* The line table of the code object at that address; of no bytes if there is none. */
void pycode_lines(uintptr_t code, struct pytext *table);

/* Fills base and first of code (address and id are given) and writes its definition: names,
   first line, line table.  False if what lies there is no code object. */
bool pycode_read(struct thread *thread, struct code *code);

#endif
