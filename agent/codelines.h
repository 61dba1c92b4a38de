/*
 * Instructions of one line, as one.  A trace knows lines alone, so two calls on one line need no
 * two nodes: a function that calls itself twice on a line has as many stacks as it is deep, not two
 * to that power.  In the host, inside malloc.
 *
 * Of each code object that a thread knows one bit for each code unit says where a run of
 * instructions of one line begins; the bits lie in the thread, one code's after the other's.
 */
#ifndef AGENT_CODELINES_H
#define AGENT_CODELINES_H

#include <stdbool.h>
#include <stdint.h>

#include "thread.h"

/* Reads the line table of a code object.  Without room each of its instructions is one by itself.
 */
void codelines_define(struct thread *thread, struct code *code);
/* Forgets what all codes have. */
void codelines_reset(struct thread *thread);
void codelines_discard(struct thread *thread);

/* The first instruction of the run that this one is in, in bytes from the start of the code. */
static inline uint32_t codelines_first(
    const struct thread *thread, const struct code *code, uint32_t instruction)
{
    uint32_t last = code->line_words - 1, unit = instruction / MT_CODE_UNIT, word = unit / 64;
    if ((int32_t)instruction < 0 || !code->line_words) {
        return instruction;
    }
    const uint64_t *bits = thread->line_bits + code->lines;
    uint64_t begun = word > last ? bits[word = last] : bits[word] & ~0ull >> (63 - unit % 64);
    while (!begun) { /* the first instruction begins a run */
        begun = bits[--word];
    }
    return MT_CODE_UNIT * (64 * word + 63 - (uint32_t)__builtin_clzll(begun));
}

#endif
