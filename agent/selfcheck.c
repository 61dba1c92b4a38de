/*
 * Comparing cached stacks with full walks (selfcheck.h).  In the host, inside
 * malloc, in test builds alone.
 *
 * The walk shares no code with pystack.c: it goes from the innermost frame out
 * and up the trie at the same time.  Stacks of more than DEEP frames are compared
 * now and then only, so that the time does not grow with the square of the depth.
 */
#include "selfcheck.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "intern.h"
#include "peek.h"
#include "pycode.h"
#include "python.h"
#include "session.h"
#include "sys.h"

#define DEEP 500u
#define COMPLAINTS 20u
#define NOTES 65536u
#define REPORT_ENV "MEMTRACE_SELFCHECK_REPORT"

static _Atomic uint64_t checks, differences;
static int counting_pid; /* whose checks these are: a forked child starts anew */

uint64_t selfcheck_code(uintptr_t address)
{
    const struct pyoffsets *py = &python.offsets;
    return peek64(address + (uintptr_t)py->code_name) * 31 +
           peek64(address + (uintptr_t)py->code_lines) * 17 +
           peek32(address + (uintptr_t)py->code_firstlineno);
}

static uintptr_t innermost_frame(uintptr_t state)
{
    const struct pyoffsets *py = &python.offsets;
    if (py->tstate_frame != PY_NO_OFFSET) {
        return peek64(state + (uintptr_t)py->tstate_frame);
    }
    uintptr_t cframe = peek64(state + (uintptr_t)py->tstate_cframe);
    return cframe ? peek64(cframe + (uintptr_t)py->cframe_frame) : 0;
}

/* Where the bytecode of a frame starts. */
static uintptr_t bytecode_of(uintptr_t frame, uintptr_t code)
{
    const struct pyoffsets *py = &python.offsets;
    uintptr_t own = code + (uintptr_t)py->code_adaptive;
    if (py->code_copies == PY_NO_OFFSET) {
        return own;
    }
    const uint64_t *copies = (const uint64_t *)peek64(code + (uintptr_t)py->code_copies);
    int32_t copy = (int32_t)peek32(frame + (uintptr_t)py->frame_copy);
    return copy > 0 ? copies[1 + copy] : own;
}

/* False if Python does not show the frame; *instruction is bytes from the start of the code. */
static bool read_frame(uintptr_t frame, uintptr_t *code, uint32_t *instruction)
{
    const struct pyoffsets *py = &python.offsets;
    int owner = py->frame_owner != PY_NO_OFFSET ? peek8(frame + (uintptr_t)py->frame_owner) : -1;
    if (py->owner_shim != PY_NO_OWNER && owner >= py->owner_shim) {
        return false;
    }
    *code = peek64(frame + (uintptr_t)py->frame_code) & ~(uintptr_t)py->code_tag_mask;
    if (!*code || peek64(*code + (uintptr_t)py->object_type) != python.code_type) {
        return false;
    }
    if (py->instr_kind != PY_INSTR_POINTER) {
        int32_t last = (int32_t)peek32(frame + (uintptr_t)py->frame_instr);
        *instruction =
            (uint32_t)(py->instr_kind == PY_INSTR_LASTI_UNITS && last >= 0 ? 2 * last : last);
        return true;
    }
    int64_t offset =
        (int64_t)(peek64(frame + (uintptr_t)py->frame_instr) - bytecode_of(frame, *code));
    int64_t first = 2 * (int64_t)peek32(*code + (uintptr_t)py->code_firsttraceable);
    *instruction = (uint32_t)offset;
    return owner == py->owner_generator || offset >= first;
}

static void complain(uint32_t level, uint32_t node, const char *what)
{
    char level_text[24], node_text[24];
    if (atomic_fetch_add(&differences, 1) < COMPLAINTS) {
        sys_decimal(level_text, level);
        sys_decimal(node_text, node);
        sys_complain("selfcheck: frame ", level_text, " from the innermost, node ", node_text, ": ",
            what, NULL);
    }
}

static int line_of(uintptr_t code, uint32_t instruction)
{
    struct mt_line_cursor cursor;
    struct pytext table;
    pycode_lines(code, &table);
    mt_lines_begin(&cursor, (enum mt_lines)python.offsets.lines_kind, table.data, table.bytes,
        (int)peek32(code + (uintptr_t)python.offsets.code_firstlineno));
    while (mt_lines_next(&cursor)) {
        if (cursor.end > instruction) {
            return cursor.line;
        }
    }
    return MT_NO_LINE;
}

/* Whether the node's instruction stands for that one (codelines.h).  What was found to be so is
   noted, as line tables are searched from their start on. */
static bool is_of_line(const struct code *code, uint32_t first, uint32_t instruction)
{
    static _Atomic uint64_t noted[NOTES];
    uint64_t pair = (uint64_t)first << 32 | instruction;
    uint64_t note = ((code->address ^ code->selfcheck) * 31 + pair) * 0x9e3779b97f4a7c15ull | 1;
    _Atomic uint64_t *place = &noted[note >> 32 & (NOTES - 1)];
    if (first == instruction || atomic_load_explicit(place, memory_order_relaxed) == note) {
        return true;
    }
    if (line_of(code->address, instruction) != line_of(code->address, first)) {
        return false;
    }
    atomic_store_explicit(place, note, memory_order_relaxed);
    return true;
}

/* NULL if the node stands for the frame. */
static const char *compare(
    struct thread *thread, uint32_t node, uintptr_t address, uint32_t instruction)
{
    uint64_t key = thread->nodes[node].key;
    uint32_t known = thread->n_codes;
    const struct code *code = intern_code(thread, address);
    if (!node) {
        return "the cached stack is too short";
    }
    if (!code || thread->n_codes != known) {
        return "its code was not known";
    }
    if (code->selfcheck != selfcheck_code(address)) {
        return "another code lies at the address of the one that is known";
    }
    if (key >> 32 != code->id) {
        return "another code";
    }
    return is_of_line(code, (uint32_t)key, instruction) ? NULL : "another line";
}

static bool is_due(const struct thread *thread)
{
    static _Atomic uint32_t turn;
    return thread->depth < DEEP || atomic_fetch_add(&turn, 1) % (thread->depth / DEEP * 4) == 0;
}

static void count_check(void)
{
    if (counting_pid != session.pid) {
        counting_pid = session.pid;
        atomic_store(&checks, 0);
        atomic_store(&differences, 0);
    }
    atomic_fetch_add_explicit(&checks, 1, memory_order_relaxed);
}

void selfcheck_stack(struct thread *thread, uintptr_t state, uint32_t node)
{
    uint32_t level = 0, instruction;
    uintptr_t code;
    if (!state || !session_live.on || !is_due(thread)) {
        return;
    }
    count_check();
    uintptr_t frame = innermost_frame(state);
    for (; frame; frame = peek64(frame + (uintptr_t)python.offsets.frame_back), level++) {
        if (!read_frame(frame, &code, &instruction)) {
            continue;
        }
        const char *difference = compare(thread, node, code, instruction);
        if (difference) {
            complain(level, node, difference);
            return;
        }
        node = thread->nodes[node].parent;
    }
    if (node) {
        complain(level, node, "the cached stack is too long");
    }
}

void selfcheck_native(struct cstack *stack, struct caller caller)
{
    uint32_t i = stack->n;
    if (stack->is_odd || !i) {
        return;
    }
    count_check();
    struct unwind_frame frame = stack->levels[i - 1].frame;
    while (--i) {
        const struct unwind_frame callee = frame, *known = &stack->levels[i - 1].frame;
        const struct unwind_rule *rule = unwind_rule(&stack->unwind, &callee);
        if (!unwind_step(&stack->unwind, rule, &callee, &frame) || frame.ip != known->ip ||
            frame.sp != known->sp) {
            complain(stack->n - i, stack->n, "another native frame");
            return;
        }
    }
    const struct unwind_rule *rule = unwind_rule(&stack->unwind, &frame);
    struct unwind_frame below;
    if (unwind_step(&stack->unwind, rule, &frame, &below)) {
        complain(stack->n, stack->n, "the cached native stack is too short");
    }
}

void selfcheck_merge(struct thread *thread, struct cstack *stack, uint32_t parent)
{
    uint32_t merged = stack->merged;
    count_check();
    stack->merged = 0;
    if (cmerge_node(thread, stack, parent) != stack->node) {
        complain(merged, stack->node, "native frames merged in another way");
    }
}

void selfcheck_recalled(uint32_t known, uint32_t node)
{
    if (known && node != NATIVE_FULL) {
        count_check();
        if (known != node) {
            complain(0, node, "another stack was remembered");
        }
    }
}

void selfcheck_report(void)
{
    const char *path = session_variable(REPORT_ENV);
    char line[80];
    if (!path || counting_pid != sys_pid()) {
        return;
    }
    size_t length = sys_decimal(line, (uint64_t)counting_pid);
    line[length++] = ' ';
    length += sys_decimal(line + length, atomic_load(&checks));
    line[length++] = ' ';
    length += sys_decimal(line + length, atomic_load(&differences));
    line[length++] = '\n';
    long fd = sys_open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (fd >= 0) {
        sys_write((int)fd, line, length);
        sys_close((int)fd);
    }
}
