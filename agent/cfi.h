/*
 * Call frame information: where the caller of a frame is, and where its registers
 * are.  In the host, inside malloc.
 */
#ifndef AGENT_CFI_H
#define AGENT_CFI_H

#include <stdbool.h>
#include <stdint.h>

#include "loaded.h"

/* How the top of a frame is found: the address above that of its return address. */
enum cfi_kind {
    CFI_NONE,  /* not told, or not in a form that is known here */
    CFI_END,   /* the outermost frame: it has no caller */
    CFI_SP,    /* offset above the stack pointer */
    CFI_BP,    /* offset above the frame pointer */
    CFI_SAVED, /* it lies in memory, offset above the frame pointer */
    CFI_OTHER  /* see `places`.  Only here the return address may be elsewhere */
};

enum cfi_place_kind {
    CFI_SAME,       /* the register has its caller's value */
    CFI_AT,         /* memory, offset above the frame's top */
    CFI_EXPRESSION, /* memory, at what the expression says */
    CFI_VALUE,      /* what the expression says */
    CFI_NOWHERE,    /* it has no value: there is no caller */
    CFI_LOST        /* in a register that is not followed */
};

struct cfi_place {
    uint8_t kind; /* enum cfi_place_kind */
    int32_t offset;
    const uint8_t *expression; /* its length, then so many bytes (expression.h) */
};

struct cfi {
    uint8_t kind;   /* enum cfi_kind */
    bool is_signal; /* the frame that the kernel makes for a handler: its caller was interrupted */
    int32_t offset;
    int32_t bp; /* where the caller's frame pointer is, above the frame's top; 0: unchanged */
    struct {
        uint8_t base;              /* CFI_SP, CFI_BP: `offset` above it; or CFI_OTHER */
        const uint8_t *expression; /* CFI_OTHER: for the frame's top */
        struct cfi_place bp, ip;
    } places;
};

/* What is told of the frame whose function is at the instruction at `address`. */
void cfi_find(const struct loaded *object, uintptr_t address, struct cfi *cfi);
/* The piece of code that the table has `address` in; false if it is in none. */
bool cfi_function(const struct loaded *object, uintptr_t address, uintptr_t *start, uintptr_t *end);

#endif
