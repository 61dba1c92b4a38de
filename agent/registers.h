/*
 * A frame with all its registers, and the way from it to its caller: slow, but
 * through whatever call frame information tells.  In the host, inside malloc.
 */
#ifndef AGENT_REGISTERS_H
#define AGENT_REGISTERS_H

#include <stdbool.h>
#include <stdint.h>

#include "cfi.h"

struct unwind_frame;
struct unwind_stack;

/* By DWARF's numbers, that of the return address being the instruction. */
struct registers {
    uintptr_t values[CFI_REGISTERS];
    uint32_t known;      /* a bit for each */
    bool is_interrupted; /* as of struct unwind_frame */
};

static inline void registers_set(struct registers *registers, unsigned number, uintptr_t value)
{
    registers->values[number] = value;
    registers->known |= 1u << number;
}

static inline bool registers_get(
    const struct registers *registers, uint64_t number, uintptr_t *value)
{
    bool known = number < CFI_REGISTERS && registers->known >> number & 1;
    *value = known ? registers->values[number] : 0;
    return known;
}

/* Those of the function that this is written in, at this instruction. */
static inline __attribute__((always_inline)) struct registers registers_here(void)
{
    enum { KEPT = 1u << 3 | 1u << 6 | 1u << 7 | 0xfu << 12 | 1u << CFI_RETURN };
    struct registers here = {.known = KEPT, .is_interrupted = true};
    __asm__ volatile("movq %%rbx, 24(%0)\n\tmovq %%rbp, 48(%0)\n\tmovq %%rsp, 56(%0)\n\t"
                     "movq %%r12, 96(%0)\n\tmovq %%r13, 104(%0)\n\t"
                     "movq %%r14, 112(%0)\n\tmovq %%r15, 120(%0)\n\t"
                     "leaq 0f(%%rip), %%rax\n0:\tmovq %%rax, 128(%0)"
                     :
                     : "r"(here.values)
                     : "rax", "memory");
    return here;
}

/* From a frame to its caller; false if there is none, or it cannot be told. */
bool registers_step(struct unwind_stack *readable, struct registers *frame);
struct unwind_frame registers_frame(const struct registers *registers);

#endif
