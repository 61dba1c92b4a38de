/*
 * An interpreter made of bytes: code objects, frames, generators, stacks that are switched as
 * greenlets switch them.  It writes what CPython would write, where the table of offsets says,
 * and keeps its own list of what is on the stack.
 */
#ifndef TESTS_FAKE_PYTHON_H
#define TESTS_FAKE_PYTHON_H

#include <stdbool.h>
#include <stdint.h>

#define FAKE_CODES 48
#define FAKE_GENERATORS 24
#define FAKE_STACKS 3
#define FAKE_COPIES 2 /* of a code's bytecode: our thread's, and another's */
#define FAKE_FREE_THREADED 0x8000

struct fake_code {
    uint8_t *object;
    uint32_t number; /* of this code among all that ever were; its name is the number */
    uint32_t users;  /* frames */
    uint64_t copies[2 + FAKE_COPIES]; /* how many, the code's own bytecode, the copies */
};

struct fake_frame {
    uint8_t *address;
    struct fake_code *code; /* NULL: a shim of the C stack */
    int32_t offset;         /* of the instruction, in bytes; -2: not started */
    uint32_t copy;          /* of the bytecode; 0: the code's own */
    bool is_generator;
};

struct fake_stack {
    struct fake_frame *frames;
    uint32_t depth;
    uint8_t *memory, *top;  /* where frames lie */
    uint32_t c_used;        /* of the C stack, which all stacks share ... */
    uint8_t *c_saved;       /* ... so that it is copied when they switch */
    uint32_t c_marks[4096]; /* c_used before each shim */
    uint32_t n_shims;
    uint32_t jumped; /* a trace function is set until the stack is no deeper, 0: none is */
};

struct fake_python {
    uint8_t *state, *cframe, *c_stack, *copies;
    struct fake_code codes[FAKE_CODES];
    struct fake_frame generators[FAKE_GENERATORS];
    bool running[FAKE_GENERATORS];
    struct fake_stack stacks[FAKE_STACKS], *stack;
    uint32_t n_codes; /* that ever were */
    uint64_t free_copies[FAKE_CODES * FAKE_COPIES]; /* the last one is taken first */
    uint32_t n_free;
    uint32_t limit;   /* frames of a stack */
};

/* Fills `python` (agent/python.h) for a version, 0x0308 to 0x030e, and makes its memory.  3.14 may
   be FAKE_FREE_THREADED: then frames run copies of the bytecode from their first step on. */
void fake_start(struct fake_python *fake, uint16_t version, uint32_t limit);
void fake_stop(struct fake_python *fake);

/* What programs do.  Each says false where it is not possible now. */
bool fake_call(struct fake_python *fake, uint32_t code, bool through_c);
bool fake_return(struct fake_python *fake);
bool fake_step(struct fake_python *fake, int32_t offset); /* the innermost frame moves on */
bool fake_resume(struct fake_python *fake, uint32_t generator);
bool fake_yield(struct fake_python *fake);
void fake_switch(struct fake_python *fake, uint32_t stack);
/* A debugger's jump: a frame that is not the innermost moves; a trace function is set from then on
   until the frames above it are gone. */
bool fake_jump(struct fake_python *fake, uint32_t level, int32_t offset);
/* Frees a code that no frame uses and makes another one at its address. */
bool fake_replace_code(struct fake_python *fake, uint32_t code);

/* Frees the copies of another thread that no generator is in. */
void fake_free_copies(struct fake_python *fake);

/* True for a frame that Python shows; *offset is what the trace should say of it. */
bool fake_is_shown(const struct fake_frame *frame, uint32_t *offset);

#endif
