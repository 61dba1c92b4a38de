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
/* DWARF's numbers of the registers; the last stands for the return address. */
enum { CFI_BX = 3, CFI_FRAME_POINTER = 6, CFI_STACK_POINTER = 7, CFI_RETURN = 16 };
#define CFI_REGISTERS 17u

/* How the top of a frame is found: the address above that of its return address. */
enum cfi_kind {
    CFI_NONE,  /* not told, or not in a form that is known here */
    CFI_END,   /* the outermost frame: it has no caller */
    CFI_SP,    /* offset above the stack pointer */
    CFI_BP,    /* offset above the frame pointer */
    CFI_SAVED, /* it lies in memory, offset above the frame pointer */
    CFI_OTHER  /* see its row.  Only here the return address may be elsewhere */
};

/* What is told of a frame, as far as three registers go. */
struct cfi {
    uint8_t kind;   /* enum cfi_kind */
    bool is_signal; /* the frame that the kernel makes for a handler: its caller was interrupted */
    int32_t offset;
    int32_t bp; /* where the caller's frame pointer is, above the frame's top; 0: unchanged */
};

/* Where a register of the caller is. */
enum cfi_place_kind {
    CFI_SAME,       /* it has its caller's value */
    CFI_AT,         /* in memory, so much above the frame's top */
    CFI_ABOVE,      /* it is so much above the frame's top */
    CFI_IN,         /* in the register of that number */
    CFI_EXPRESSION, /* in memory, at what the expression says */
    CFI_VALUE,      /* what the expression says */
    CFI_NOWHERE     /* it has no value; of the return address: there is no caller */
};

struct cfi_place {
    int64_t what : 56; /* or the address of an expression: its length, then so many bytes */
    uint64_t kind : 8; /* enum cfi_place_kind */
};

/* All that is told of a frame. */
struct cfi_row {
    uint64_t base; /* the register that the top is `offset` above, */
    int64_t offset;
    const uint8_t *expression; /* if not NULL this instead (expression.h) */
    struct cfi_place places[CFI_REGISTERS];
    bool is_signal;
};

/* What is told of the frame whose function is at the instruction at `address`. */
void cfi_find(const struct loaded *object, uintptr_t address, struct cfi *cfi);
/* The same in full; false if nothing is told. */
bool cfi_find_row(const struct loaded *object, uintptr_t address, struct cfi_row *row);
/* The piece of code that the table has `address` in; false if it is in none. */
bool cfi_function(const struct loaded *object, uintptr_t address, uintptr_t *start, uintptr_t *end);

#endif
