/*
 * The interpreter made of bytes (fake_python.h).  In a unit test.
 */
#include "fake_python.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "intern.h"
#include "memtrace/ring.h"
#include "python.h"

#define CODE_BYTES 1024
#define NAME_AT 512 /* of the name, in a code's memory */
#define FRAME_BYTES_MAX 448
#define C_STACK (64 << 10)
#define SHIM_BYTES 112
#define COPY_BYTES 256
#define OURS 1 /* copies of the bytecode */
#define ANOTHERS 2
#define OWNER_THREAD 0
#define RUNS 4     /* code units of a line: one to four */
#define LINES 104 /* of a code */

struct python python;

static uint8_t code_type, file_name[128], line_tables[RUNS][64 + 3 * LINES];
static uint32_t frame_bytes;

static void put64(uint8_t *base, int16_t at, uint64_t value)
{
    if (at != PY_NO_OFFSET) {
        memcpy(base + at, &value, sizeof(value));
    }
}

static void put32(uint8_t *base, int16_t at, uint32_t value)
{
    if (at != PY_NO_OFFSET) {
        memcpy(base + at, &value, sizeof(value));
    }
}

static void put8(uint8_t *base, int16_t at, uint8_t value)
{
    if (at != PY_NO_OFFSET) {
        base[at] = value;
    }
}

static void *make_memory(size_t size)
{
    return mmap(
        NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

static void make_string(uint8_t *object, const char *text)
{
    const struct pyoffsets *py = &python.offsets;
    put64(object, py->unicode_length, strlen(text));
    put32(object, py->unicode_state,
        1u << py->kind_shift | py->compact_mask | py->ascii_mask | py->ready_mask);
    memcpy(object + py->ascii_data, text, strlen(text));
}

/* ---- codes ---- */

static uint32_t first_traceable(const struct fake_code *code)
{
    return python.offsets.code_firsttraceable == PY_NO_OFFSET ? 0 : 2 * (code->number % 3);
}

static void free_copy(struct fake_python *fake, struct fake_code *code, uint32_t copy)
{
    if (code->copies[1 + copy]) {
        fake->free_copies[fake->n_free++] = code->copies[1 + copy];
        code->copies[1 + copy] = 0;
    }
}

/* Code units of each of its lines. */
static uint32_t run_of(const struct fake_code *code)
{
    return 1 + code->number % RUNS;
}

static void make_line_table(uint32_t run)
{
    const struct pyoffsets *py = &python.offsets;
    bool has_locations = py->lines_kind == MT_LINES_LOCATIONS;
    uint8_t *object = line_tables[run - 1], *next = object + py->bytes_data;
    put64(object, py->bytes_size, LINES * (has_locations ? 3 : 2));
    for (int line = 0; line < LINES; line++) {
        if (has_locations) { /* one line further, with two columns */
            *next++ = (uint8_t)(0x80 | 11 << 3 | (run - 1));
            *next++ = 3;
            *next++ = 9;
        } else {
            *next++ = (uint8_t)(2 * run);
            *next++ = 1;
        }
    }
}

static void make_code(struct fake_python *fake, struct fake_code *code)
{
    const struct pyoffsets *py = &python.offsets;
    char name[16];
    code->number = ++fake->n_codes;
    snprintf(name, sizeof(name), "%u", code->number);
    memset(code->object, 0xa5, CODE_BYTES);
    make_string(code->object + NAME_AT, name);
    put64(code->object, py->object_type, (uintptr_t)&code_type);
    put64(code->object, py->code_filename, (uintptr_t)file_name);
    put64(code->object, py->code_name, (uintptr_t)code->object + NAME_AT);
    put64(code->object, py->code_qualname, (uintptr_t)code->object + NAME_AT);
    put64(code->object, py->code_lines, (uintptr_t)line_tables[run_of(code) - 1]);
    put32(code->object, py->code_firstlineno, 1);
    put32(code->object, py->code_firsttraceable, first_traceable(code) / 2);
    for (uint32_t copy = OURS; copy <= ANOTHERS; copy++) {
        free_copy(fake, code, copy);
    }
    code->copies[0] = 1 + FAKE_COPIES;
    code->copies[1] = (uintptr_t)code->object + (uintptr_t)py->code_adaptive;
    put64(code->object, py->code_copies, (uintptr_t)code->copies);
}

/* Makes the copy if the code has none yet. */
static void enter_copy(struct fake_python *fake, struct fake_frame *frame, uint32_t copy)
{
    if (python.offsets.code_copies != PY_NO_OFFSET) {
        frame->copy = copy;
        if (!frame->code->copies[1 + copy]) {
            frame->code->copies[1 + copy] = fake->free_copies[--fake->n_free];
        }
        put32(frame->address, python.offsets.frame_copy, copy);
    }
}

void fake_free_copies(struct fake_python *fake)
{
    for (uint32_t i = 0; i < FAKE_CODES; i++) {
        bool is_used = false;
        for (uint32_t g = 0; g < FAKE_GENERATORS; g++) {
            const struct fake_frame *frame = &fake->generators[g];
            is_used |= frame->code == &fake->codes[i] && frame->copy == ANOTHERS;
        }
        if (!is_used) {
            free_copy(fake, &fake->codes[i], ANOTHERS);
        }
    }
}

bool fake_replace_code(struct fake_python *fake, uint32_t number)
{
    struct fake_code *code = &fake->codes[number % FAKE_CODES];
    if (code->users) {
        return false;
    }
    intern_code_dies((uintptr_t)code->object);
    make_code(fake, code);
    return true;
}

/* ---- frames ---- */

static void put_instruction(const struct fake_frame *frame)
{
    const struct pyoffsets *py = &python.offsets;
    int32_t unit = frame->offset < 0 ? -1 : frame->offset;
    switch (py->instr_kind) {
    case PY_INSTR_POINTER:
        put64(frame->address, py->frame_instr,
            frame->code->copies[1 + frame->copy] + (uint64_t)(int64_t)frame->offset);
        break;
    case PY_INSTR_LASTI_UNITS:
        put32(frame->address, py->frame_instr, (uint32_t)(unit < 0 ? unit : unit / 2));
        break;
    default:
        put32(frame->address, py->frame_instr, (uint32_t)unit);
    }
}

/* The first instruction of its line. */
static uint32_t line_begin(const struct fake_frame *frame)
{
    uint32_t bytes = 2 * run_of(frame->code);
    return (uint32_t)frame->offset / bytes * bytes;
}

bool fake_is_shown(const struct fake_frame *frame, uint32_t *offset)
{
    if (!frame->code) {
        return false;
    }
    if (python.offsets.instr_kind == PY_INSTR_POINTER) {
        *offset = frame->offset < 0 ? (uint32_t)frame->offset : line_begin(frame);
        return frame->is_generator || frame->offset >= (int32_t)first_traceable(frame->code);
    }
    *offset = frame->offset < 0 ? UINT32_MAX : line_begin(frame);
    return true;
}

static struct fake_frame *innermost(const struct fake_python *fake)
{
    return fake->stack->depth ? &fake->stack->frames[fake->stack->depth - 1] : NULL;
}

static void put_trace(struct fake_python *fake);

static void put_top(struct fake_python *fake)
{
    const struct pyoffsets *py = &python.offsets;
    struct fake_frame *frame = innermost(fake);
    uintptr_t top = frame ? (uintptr_t)frame->address : 0;
    if (py->tstate_cframe != PY_NO_OFFSET) {
        put64(fake->state, py->tstate_cframe, (uintptr_t)fake->cframe);
        put64(fake->cframe, py->cframe_frame, top);
    } else {
        put64(fake->state, py->tstate_frame, top);
    }
    put_trace(fake);
}

/* What a caller does with its value stack: the slot of the callable is dead, then it holds what
   was returned. */
static void put_caller(struct fake_python *fake, int32_t stacktop, uint64_t slot)
{
    const struct pyoffsets *py = &python.offsets;
    struct fake_frame *caller = innermost(fake);
    if (caller && caller->code && py->frame_stacktop != PY_NO_OFFSET) {
        put32(caller->address, py->frame_stacktop, (uint32_t)stacktop);
        put64(caller->address, (int16_t)(py->frame_localsplus + 8), slot);
    }
}

static void link_frame(struct fake_python *fake, const struct fake_frame *frame)
{
    const struct pyoffsets *py = &python.offsets;
    struct fake_frame *below = innermost(fake);
    put_caller(fake, 1, 0x77);
    put64(frame->address, py->frame_back, below ? (uintptr_t)below->address : 0);
    put32(frame->address, py->frame_stacktop, UINT32_MAX);
    fake->stack->frames[fake->stack->depth++] = *frame;
    put_top(fake);
}

static void init_frame(const struct fake_frame *frame, uint8_t owner)
{
    const struct pyoffsets *py = &python.offsets;
    put64(frame->address, py->frame_code, (uintptr_t)frame->code->object | py->code_tag_mask);
    put8(frame->address, py->frame_owner, owner);
    if (py->frame_owner != PY_NO_OFFSET) {
        put8(frame->address, (int16_t)(py->frame_owner + 1), 0);
    }
    put8(frame->address, py->frame_trace_lines, 1);
    put8(frame->address, py->frame_is_entry, 0);
    put64(frame->address, py->frame_gen, frame->is_generator ? 0x1000 : 0);
    put_instruction(frame);
}

static bool has_room(const struct fake_stack *stack, uint32_t limit)
{
    return stack->depth + 2 < limit;
}

/* Nothing in it but the link may be read. */
static void push_shim(struct fake_python *fake)
{
    struct fake_stack *stack = fake->stack;
    const struct pyoffsets *py = &python.offsets;
    if (py->owner_shim == PY_NO_OWNER || stack->c_used + 2 * SHIM_BYTES > C_STACK ||
        stack->n_shims == 4096) {
        return;
    }
    struct fake_frame shim = {.address = fake->c_stack + stack->c_used};
    stack->c_marks[stack->n_shims++] = stack->c_used;
    stack->c_used += SHIM_BYTES + 16 * (stack->depth % 3);
    memset(shim.address, 0x5a, SHIM_BYTES);
    put8(shim.address, py->frame_owner, py->owner_shim);
    link_frame(fake, &shim);
}

bool fake_call(struct fake_python *fake, uint32_t code, bool through_c)
{
    struct fake_stack *stack = fake->stack;
    if (!has_room(stack, fake->limit)) {
        return false;
    }
    if (through_c) {
        push_shim(fake);
    }
    struct fake_frame frame = {
        .address = stack->top, .code = &fake->codes[code % FAKE_CODES], .offset = -2};
    stack->top += frame_bytes + 16 * (code % 3);
    frame.code->users++;
    put32(frame.address, python.offsets.frame_copy, 0);
    if (frame.code->copies[1 + OURS]) {
        enter_copy(fake, &frame, OURS);
    }
    init_frame(&frame, OWNER_THREAD);
    link_frame(fake, &frame);
    return true;
}

static void unlink_frame(struct fake_python *fake)
{
    fake->stack->depth--;
    struct fake_frame *below = innermost(fake);
    if (below && !below->code) {
        fake->stack->c_used = fake->stack->c_marks[--fake->stack->n_shims];
        fake->stack->depth--;
    }
    put_caller(fake, -1, 0x99);
    put_top(fake);
}

bool fake_return(struct fake_python *fake)
{
    struct fake_frame *frame = innermost(fake);
    if (!frame || frame->is_generator) {
        return fake_yield(fake);
    }
    frame->code->users--;
    fake->stack->top = frame->address;
    unlink_frame(fake);
    return true;
}

bool fake_step(struct fake_python *fake, int32_t offset)
{
    struct fake_frame *frame = innermost(fake);
    return frame && fake_jump(fake, fake->stack->depth - 1, offset);
}

/* Only a trace function can make a frame jump that is not the innermost, and its own frames are
   those above. */
static void put_trace(struct fake_python *fake)
{
    uint64_t traced = 0;
    for (uint32_t i = 0; i < FAKE_STACKS; i++) {
        struct fake_stack *stack = &fake->stacks[i];
        if (stack->depth <= stack->jumped) {
            stack->jumped = 0;
        }
        traced |= stack->jumped;
    }
    put64(fake->state, python.offsets.tstate_tracefunc, traced);
}

bool fake_jump(struct fake_python *fake, uint32_t level, int32_t offset)
{
    struct fake_stack *stack = fake->stack;
    struct fake_frame *frame = &stack->frames[level];
    if (level >= stack->depth || !frame->code) {
        return false;
    }
    if (level + 1 < stack->depth && (!stack->jumped || level + 1 < stack->jumped)) {
        stack->jumped = level + 1;
        put_trace(fake);
    }
    int32_t first = (int32_t)first_traceable(frame->code);
    offset &= ~1;
    frame->offset = frame->offset >= first && offset < first ? first : offset; /* never back */
    enter_copy(fake, frame, OURS);
    put_instruction(frame);
    return true;
}

/* ---- generators ---- */

static void make_generator(struct fake_python *fake, struct fake_frame *frame, uint32_t number)
{
    frame->code = &fake->codes[number % FAKE_CODES];
    frame->code->users++;
    frame->is_generator = true;
    frame->offset = 0;
    frame->copy = 0;
    put32(frame->address, python.offsets.frame_copy, 0);
    if (number % 2 && python.offsets.code_copies != PY_NO_OFFSET) {
        enter_copy(fake, frame, ANOTHERS); /* which has run it so far */
        frame->offset = 8;
    }
    init_frame(frame, python.offsets.owner_generator);
}

bool fake_resume(struct fake_python *fake, uint32_t number)
{
    uint32_t index = number % FAKE_GENERATORS;
    struct fake_frame *frame = &fake->generators[index];
    if (fake->running[index] || !has_room(fake->stack, fake->limit)) {
        return false;
    }
    if (!frame->code || number % 7 == 0) { /* a new one at the address of one that ended */
        if (frame->code) {
            frame->code->users--;
            frame->code = NULL;
            fake_free_copies(fake);
        }
        make_generator(fake, frame, number / 7);
    }
    if (number % 3 == 0) {
        push_shim(fake);
    }
    fake->running[index] = true;
    link_frame(fake, frame);
    return true;
}

bool fake_yield(struct fake_python *fake)
{
    struct fake_frame *frame = innermost(fake);
    if (!frame || !frame->is_generator) {
        return false;
    }
    for (uint32_t i = 0; i < FAKE_GENERATORS; i++) {
        if (fake->generators[i].address == frame->address) {
            fake->generators[i].offset = frame->offset;
            fake->generators[i].copy = frame->copy;
            fake->running[i] = false;
        }
    }
    put32(frame->address, python.offsets.frame_stacktop, 0);
    put64(frame->address, python.offsets.frame_back, 0);
    unlink_frame(fake);
    return true;
}

/* ---- stacks ---- */

void fake_switch(struct fake_python *fake, uint32_t number)
{
    struct fake_stack *stack = &fake->stacks[number % FAKE_STACKS];
    memcpy(fake->stack->c_saved, fake->c_stack, fake->stack->c_used);
    memcpy(fake->c_stack, stack->c_saved, stack->c_used);
    fake->stack = stack;
    put_top(fake);
}

static void make_stack(struct fake_stack *stack, uint32_t limit)
{
    stack->frames = make_memory(limit * sizeof(struct fake_frame));
    stack->memory = stack->top = make_memory((size_t)limit * FRAME_BYTES_MAX);
    stack->c_saved = make_memory(C_STACK);
}

/* ---- the whole ---- */

static void choose_version(uint16_t version)
{
    bool is_free_threaded = version & FAKE_FREE_THREADED;
    version &= (uint16_t)~FAKE_FREE_THREADED;
    bool published = version >= 0x030d; /* those need a living _PyRuntime: the row of 3.12 */
    python = (struct python){.present = true, .known = true, .code_type = (uintptr_t)&code_type};
    pyoffsets_find(&python.offsets, (uint32_t)(published ? 0x030c : version) << 16 | 0xf0, NULL);
    if (published) {
        python.offsets.tstate_cframe = PY_NO_OFFSET;
        python.offsets.tstate_frame = 72;
        python.offsets.tstate_tracefunc = 88;
    }
    if (version >= 0x030e) {
        python.offsets.mark_kind = is_free_threaded ? PY_MARK_OWNER_COPIES : PY_MARK_OWNER;
        python.offsets.frame_stacktop = PY_NO_OFFSET;
        python.offsets.code_tag_mask = 1;
    }
    if (is_free_threaded) {
        python.offsets.frame_copy = 64;
        python.offsets.code_copies = 184;
    }
    frame_bytes = python.offsets.instr_kind == PY_INSTR_POINTER ? 112 : 400;
}

void fake_start(struct fake_python *fake, uint16_t version, uint32_t limit)
{
    memset(fake, 0, sizeof(*fake));
    choose_version(version);
    fake->limit = limit;
    fake->state = make_memory(4096);
    fake->cframe = fake->state + 2048;
    fake->c_stack = make_memory(C_STACK);
    make_string(file_name, "f.py");
    for (uint32_t run = 1; run <= RUNS; run++) {
        make_line_table(run);
    }
    fake->copies = make_memory(FAKE_CODES * FAKE_COPIES * COPY_BYTES);
    for (; fake->n_free < FAKE_CODES * FAKE_COPIES; fake->n_free++) {
        fake->free_copies[fake->n_free] = (uintptr_t)fake->copies + fake->n_free * COPY_BYTES;
    }
    uint8_t *codes = make_memory(FAKE_CODES * CODE_BYTES);
    for (uint32_t i = 0; i < FAKE_CODES; i++) {
        fake->codes[i].object = codes + i * CODE_BYTES;
        make_code(fake, &fake->codes[i]);
    }
    uint8_t *generators = make_memory(FAKE_GENERATORS * FRAME_BYTES_MAX);
    for (uint32_t i = 0; i < FAKE_GENERATORS; i++) {
        fake->generators[i].address = generators + i * FRAME_BYTES_MAX;
    }
    for (uint32_t i = 0; i < FAKE_STACKS; i++) {
        make_stack(&fake->stacks[i], limit);
    }
    fake->stack = &fake->stacks[0];
}

void fake_stop(struct fake_python *fake)
{
    munmap(fake->state, 4096);
    munmap(fake->c_stack, C_STACK);
    munmap(fake->codes[0].object, FAKE_CODES * CODE_BYTES);
    munmap(fake->copies, FAKE_CODES * FAKE_COPIES * COPY_BYTES);
    munmap(fake->generators[0].address, FAKE_GENERATORS * FRAME_BYTES_MAX);
    for (uint32_t i = 0; i < FAKE_STACKS; i++) {
        munmap(fake->stacks[i].frames, fake->limit * sizeof(struct fake_frame));
        munmap(fake->stacks[i].memory, (size_t)fake->limit * FRAME_BYTES_MAX);
        munmap(fake->stacks[i].c_saved, C_STACK);
    }
}
