/*
 * From a code object to its definition in the ring (pycode.h).  In the host,
 * inside malloc: reads the interpreter's memory, calls none of it.
 */
#include "pycode.h"

#include <string.h>

#include "peek.h"
#include "python.h"
#include "ring.h"

#define TEXT_MAX (1u << 20) /* longer names are damage */

bool pycode_text(uintptr_t object, struct pytext *text)
{
    const struct pyoffsets *py = &python.offsets;
    *text = (struct pytext){0};
    if (!object) {
        return false;
    }
    uint32_t state = peek32(object + py->unicode_state);
    uint64_t length = peek64(object + py->unicode_length);
    uint32_t width = (state & py->kind_mask) >> py->kind_shift;
    if ((py->ready_mask && !(state & py->ready_mask)) || length > TEXT_MAX ||
        (width != 1 && width != 2 && width != 4)) {
        return false;
    }
    bool ascii = state & py->ascii_mask;
    if (!(state & py->compact_mask)) {
        text->data = (const void *)peek64(object + py->unicode_any);
    } else {
        text->data = (const void *)(object + (ascii ? py->ascii_data : py->compact_data));
    }
    text->width = ascii ? 0 : width;
    text->bytes = length * width;
    return text->data != NULL;
}

void pycode_lines(uintptr_t code, struct pytext *table)
{
    uintptr_t object = peek64(code + python.offsets.code_lines);
    uint64_t size = object ? peek64(object + python.offsets.bytes_size) : 0;
    *table = (struct pytext){0};
    if (size && size < 1ull << 31) {
        table->data = (const void *)(object + python.offsets.bytes_data);
        table->bytes = size;
    }
}

static bool define(struct thread *thread, const struct code *code)
{
    const struct pyoffsets *py = &python.offsets;
    uintptr_t object = code->address;
    struct pytext file, name, table;
    int16_t name_at = py->code_qualname != PY_NO_OFFSET ? py->code_qualname : py->code_name;
    pycode_text(peek64(object + py->code_filename), &file);
    pycode_text(peek64(object + name_at), &name);
    pycode_lines(object, &table);
    uint64_t words[3] = {
        peek32(object + py->code_firstlineno) | (uint64_t)py->lines_kind << 32 |
            (uint64_t)file.width << 40 | (uint64_t)name.width << 48,
        file.bytes | name.bytes << 32,
        table.bytes,
    };
    return ring_text(thread, file.data, file.bytes) && ring_text(thread, name.data, name.bytes) &&
           ring_text(thread, table.data, table.bytes) &&
           ring_meta(thread, MT_META_CODE, code->id, 0, words, 3);
}

bool pycode_read(struct thread *thread, struct code *code)
{
    const struct pyoffsets *py = &python.offsets;
    if (peek64(code->address + py->object_type) != python.code_type) {
        return false;
    }
    if (py->instr_kind == PY_INSTR_POINTER) {
        code->base = code->address + (uintptr_t)py->code_adaptive;
        code->first = code->base + 2 * (uintptr_t)peek32(code->address + py->code_firsttraceable);
    }
    return define(thread, code);
}
