/*
 * Reading line tables (codelines.h), once for each code object.  In the host, inside malloc: reads
 * the interpreter's memory, calls none of it.
 */
#include "codelines.h"

#include <string.h>

#include "peek.h"
#include "pycode.h"
#include "python.h"
#include "sys.h"

#define WORDS_START 1024u
#define WORDS_MAX (1u << 20) /* of a code object: 128 MiB of bytecode */

/* Room for so many words of the code that is being read. */
static bool make_room(struct thread *thread, const struct code *code, uint32_t words)
{
    uint64_t need = (uint64_t)code->lines + words;
    if (words > WORDS_MAX || need > UINT32_MAX) {
        return false;
    }
    while (need > thread->line_words_capacity) {
        size_t size = thread->line_words_capacity * sizeof(uint64_t);
        uint64_t *grown = size ? sys_grow_private(thread->line_bits, size, 2 * size)
                               : sys_map_private(WORDS_START * sizeof(uint64_t));
        if (!grown) {
            return false;
        }
        thread->line_bits = grown;
        thread->line_words_capacity = size ? 2 * thread->line_words_capacity : WORDS_START;
    }
    return true;
}

static bool begin_run(struct thread *thread, struct code *code, uint64_t start)
{
    uint64_t unit = start / MT_CODE_UNIT;
    uint32_t words = unit / 64 < WORDS_MAX ? (uint32_t)(unit / 64) + 1 : UINT32_MAX;
    if (words > code->line_words) {
        if (!make_room(thread, code, words)) {
            return false;
        }
        memset(thread->line_bits + code->lines + code->line_words, 0,
            (words - code->line_words) * sizeof(uint64_t));
        code->line_words = words;
    }
    thread->line_bits[code->lines + unit / 64] |= 1ull << unit % 64;
    return true;
}

__attribute__((noinline)) void codelines_define(struct thread *thread, struct code *code)
{
    struct mt_line_cursor cursor;
    struct pytext table;
    uint64_t start = 0;
    bool has_room = true;
    pycode_lines(code->address, &table);
    mt_lines_begin(&cursor, (enum mt_lines)python.offsets.lines_kind, table.data, table.bytes,
        (int)peek32(code->address + python.offsets.code_firstlineno));
    code->lines = thread->line_words;
    code->line_words = 0;
    for (int line = MT_NO_LINE; has_room && mt_lines_next(&cursor); start = cursor.end) {
        if (cursor.end > start && (!start || cursor.line != line)) {
            has_room = begin_run(thread, code, start);
            line = cursor.line;
        }
    }
    if (!has_room || (start && start < UINT64_MAX && !begin_run(thread, code, start))) {
        code->line_words = 0;
    }
    thread->line_words += code->line_words;
}

void codelines_reset(struct thread *thread)
{
    thread->line_words = 0;
}

void codelines_discard(struct thread *thread)
{
    if (thread->line_bits) {
        sys_unmap(thread->line_bits, thread->line_words_capacity * sizeof(uint64_t));
    }
    thread->line_bits = NULL;
}
