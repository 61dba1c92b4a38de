/*
 * What the agent knows of CPython's structures: one row of offsets for each
 * minor version, generated from that version's headers (generate_offsets.py).
 * The rows hold on 64-bit little-endian machines, each with a GIL or without.
 *
 * Runs in the host, in the library's constructor, perhaps under the loader's
 * lock: no allocation, no stdio, nothing of libc but memcmp and memcpy.
 */
#ifndef MEMTRACE_PYOFFSETS_H
#define MEMTRACE_PYOFFSETS_H

#include <stdbool.h>
#include <stdint.h>

#define PY_NO_OFFSET (-1) /* the version has no such field */
#define PY_NO_OWNER 255   /* the version has no such owner */

/* How a frame says where it is; see pyoffsets.frame_instr. */
enum py_instr_kind {
    PY_INSTR_LASTI_BYTES = 1, /* int: bytes from the start of the code; -1 before the first */
    PY_INSTR_LASTI_UNITS = 2, /* int: units of two bytes; -1 before the first */
    PY_INSTR_POINTER = 3      /* address of an instruction; the code starts at code_adaptive */
};

/* Where an activation can be marked (pystack.c).  What follows holds for frames that a thread owns;
   for those of generators only where it says so. */
enum py_mark_kind {
    PY_MARK_NONE = 0,
    PY_MARK_TRACE_LINES = 1, /* the byte at frame_trace_lines: each new frame sets it to 1, any
                                other value but 0 means the same; not where frame_gen is set */
    PY_MARK_STACK =
        2,             /* a running frame's int at frame_stacktop: each start and each return into
                          it sets -1, all negative values mean the same; of a generator's too, whose
                          every resumption is such a start.  Of a suspended one, which
                          called the frame above from Python code: the slot of frame_localsplus that
                          frame_stacktop counts: what it called was there, what that returns will be */
    PY_MARK_OWNER = 3, /* the byte after frame_owner: a push sets it to 0, nothing reads it but, in
                          the first 3.14s, an incremental collection, to which any other value says
                          that it has been here: it looks at fewer frames, and finds the same */
    PY_MARK_OWNER_COPIES = 4 /* the same where threads have copies of bytecode: code_copies */
};

/*
 * Offsets are bytes from the start of the object, PY_NO_OFFSET where there is
 * none.  "pointer", "int" and so on is what lies there.
 *
 * The current frame is *(state + tstate_frame), or, if tstate_cframe is there,
 * *(*(state + tstate_cframe) + cframe_frame).
 *
 * A frame of owner owner_shim or above belongs to the interpreter's C code: nothing
 * but frame_back may be read in it.  With PY_INSTR_POINTER a frame is incomplete, and must be
 * skipped, if its owner is not owner_generator and its instruction lies before
 * code + code_adaptive + 2 * code_firsttraceable.
 */
struct pyoffsets {
    uint16_t version;        /* 0x030d is 3.13 */
    uint8_t free_threaded;   /* a build without a GIL */
    uint8_t instr_kind;      /* enum py_instr_kind */
    uint8_t lines_kind;      /* enum mt_lines (memtrace/ring.h) */
    uint8_t mark_kind;       /* enum py_mark_kind */
    uint8_t owner_shim;      /* PY_NO_OWNER if frames of the C stack do not show */
    uint8_t owner_generator; /* PY_NO_OWNER before 3.11 */
    uint8_t code_tag_mask;   /* bits of *frame_code that are not of the pointer; 0 before 3.14 */

    intptr_t tstate_frame;     /* pointer */
    intptr_t tstate_cframe;    /* pointer */
    intptr_t cframe_frame;     /* pointer, in what tstate_cframe points to */
    intptr_t cframe_previous;  /* pointer to that of the caller; they lie on the C stack */
    intptr_t tstate_interp;    /* pointer to the interpreter's state */
    intptr_t tstate_id;        /* uint64_t: number of the state in its interpreter */
    intptr_t tstate_thread_id; /* unsigned long: pthread_self() */
    intptr_t tstate_tracefunc; /* pointer: not NULL while a trace function is set */

    intptr_t frame_back;  /* pointer */
    intptr_t frame_code;  /* pointer, tagged: code_tag_mask */
    intptr_t frame_instr; /* int or pointer: instr_kind */
    intptr_t frame_owner; /* char; none before 3.11 */

    /* Where an activation can be marked; no walk needs these. */
    intptr_t frame_trace_lines; /* char, 3.8 to 3.10: 1 in each new frame */
    intptr_t frame_gen;         /* pointer, 3.8 to 3.10: not NULL in a generator's frame */
    intptr_t frame_stacktop;    /* int, 3.11 to 3.13: -1 while the frame runs */
    intptr_t frame_is_entry;    /* bool, 3.11: called from C */
    intptr_t frame_localsplus;  /* pointers, tagged too: locals, then the value stack */

    /* Without a GIL, from 3.14 on: a thread runs a copy of the bytecode, from the first RESUME on.
       Each code has a pointer to a Py_ssize_t and as many pointers to copies, the first to its own
       bytecode, the others perhaps NULL; a frame says which one its instruction is in. */
    intptr_t frame_copy;  /* int32_t */
    intptr_t code_copies; /* pointer */

    intptr_t code_filename;       /* pointer to str */
    intptr_t code_name;           /* pointer to str */
    intptr_t code_qualname;       /* pointer to str; none before 3.11 */
    intptr_t code_firstlineno;    /* int */
    intptr_t code_lines;          /* pointer to bytes: lines_kind */
    intptr_t code_adaptive;       /* the instructions themselves; none before 3.11 */
    intptr_t code_firsttraceable; /* int: units of two bytes; none before 3.11 */

    /* str: state is 32 bits.  The characters of an ASCII one are at ascii_data, of another
       compact one at compact_data, else (subclasses of str) where the pointer at unicode_any
       says.  Without its ready bit, where unicode_ready is not 0, it has no characters yet. */
    intptr_t unicode_length; /* Py_ssize_t: characters */
    intptr_t unicode_state;  /* uint32_t, the masks below */
    intptr_t unicode_any;    /* pointer */
    intptr_t ascii_data;
    intptr_t compact_data;
    uint8_t kind_shift; /* (state & kind_mask) >> kind_shift: bytes a character, 1, 2, 4 */
    uint32_t kind_mask;
    uint32_t compact_mask;
    uint32_t ascii_mask;
    uint32_t ready_mask; /* 0 from 3.12 on: always ready */

    intptr_t bytes_size; /* Py_ssize_t */
    intptr_t bytes_data;
    intptr_t object_type; /* pointer */

    int32_t runtime_finalizing; /* in _PyRuntime: pointer, not NULL once finalization began */
};

/*
 * Fills *out for the interpreter of this version (Py_Version, 0xMMmmpprs).
 * runtime is the address of its _PyRuntime, or NULL if it is not known: from
 * 3.13 on that is where the interpreter publishes its own offsets: they must be
 * there and fit, and they come before the row's.  False, and *out is void, if the
 * version is not known, not released yet, or the build is another than the row
 * is for: never the nearest row.
 */
bool pyoffsets_find(struct pyoffsets *out, uint32_t version, const void *runtime);

#endif
