/*
 * Reading .eh_frame (cfi.h; the Linux Standard Base and DWARF describe it).  In
 * the host, inside malloc.  Everything that is not the one plain form which
 * compilers write for code without a frame pointer is "not told".
 */
#include "cfi.h"

#include <stdbool.h>
#include <string.h>

#define TABLE_ENCODING 0x3b /* relative to the table, signed, 4 bytes */
#define HERE_ENCODING 0x1b  /* relative to where it stands, signed, 4 bytes */
#define STACK_POINTER 7     /* DWARF's number of rsp */
#define FRAME_MAX 65536u
#define REMEMBERED 4

struct bytes {
    const uint8_t *next, *end;
    bool bad;
};

static uint32_t take_u32(struct bytes *bytes)
{
    uint32_t value = 0;
    if (bytes->end - bytes->next < 4) {
        bytes->bad = true;
        bytes->next = bytes->end;
    } else {
        memcpy(&value, bytes->next, 4);
        bytes->next += 4;
    }
    return value;
}

static uint8_t take_u8(struct bytes *bytes)
{
    if (bytes->next == bytes->end) {
        bytes->bad = true;
        return 0;
    }
    return *bytes->next++;
}

static uint64_t take_uleb(struct bytes *bytes)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte = take_u8(bytes);
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) {
            return value;
        }
    }
    bytes->bad = true;
    return 0;
}

static void skip(struct bytes *bytes, uint64_t count)
{
    if (count > (uint64_t)(bytes->end - bytes->next)) {
        bytes->bad = true;
        count = (uint64_t)(bytes->end - bytes->next);
    }
    bytes->next += count;
}

/* ---- the rule for the frame's address ---- */

struct rule {
    uint64_t from_register, offset;
};

struct machine {
    struct rule rule, initial, remembered[REMEMBERED];
    unsigned depth;
    uint64_t code_unit;
    uintptr_t at, wanted;
};

/* The instructions that fall between the common three. */
static void run_other(struct machine *machine, struct bytes *code, uint8_t op)
{
    switch (op) {
    case 0x00: /* nop */
        break;
    case 0x02: /* advance_loc1 */
        machine->at += take_u8(code) * machine->code_unit;
        break;
    case 0x03: { /* advance_loc2 */
        uint8_t low = take_u8(code);
        machine->at += (low | (unsigned)take_u8(code) << 8) * machine->code_unit;
        break;
    }
    case 0x04: /* advance_loc4 */
        machine->at += take_u32(code) * machine->code_unit;
        break;
    case 0x0a: /* remember_state */
        code->bad |= machine->depth == REMEMBERED;
        machine->remembered[machine->depth++ % REMEMBERED] = machine->rule;
        break;
    case 0x0b: /* restore_state */
        code->bad |= machine->depth == 0;
        machine->rule = machine->remembered[--machine->depth % REMEMBERED];
        break;
    case 0x0c: /* def_cfa */
        machine->rule.from_register = take_uleb(code);
        machine->rule.offset = take_uleb(code);
        break;
    case 0x0d: /* def_cfa_register */
        machine->rule.from_register = take_uleb(code);
        break;
    case 0x0e: /* def_cfa_offset */
        machine->rule.offset = take_uleb(code);
        break;
    case 0x2e: /* GNU_args_size */
        take_uleb(code);
        break;
    default:
        code->bad = true;
    }
}

/* Up to the wanted address. */
static void run(struct machine *machine, struct bytes code, bool *bad)
{
    while (code.next < code.end && !code.bad) {
        uint8_t op = take_u8(&code);
        switch (op & 0xc0) {
        case 0x40: /* advance_loc */
            machine->at += (op & 0x3f) * machine->code_unit;
            break;
        case 0x80: /* offset: where a register is saved */
            take_uleb(&code);
            break;
        case 0xc0: /* restore */
            break;
        default:
            run_other(machine, &code, op);
        }
        if (machine->at > machine->wanted) {
            break;
        }
    }
    *bad |= code.bad;
}

/* ---- records ---- */

static struct bytes record_at(const uint8_t *start)
{
    struct bytes bytes = {start, start + 4, false};
    uint32_t length = take_u32(&bytes);
    bytes.bad = length == 0 || length > INT32_MAX;
    bytes.end = bytes.next + (bytes.bad ? 0 : length);
    return bytes;
}

/* The common part: leaves the instructions.  Only the augmentation "zR", with or without what
   says how exceptions pass, is of the plain form. */
static struct bytes read_common(const uint8_t *start, struct machine *machine)
{
    struct bytes bytes = record_at(start);
    bytes.bad |= take_u32(&bytes) != 0 || take_u8(&bytes) != 1;
    const char *augmentation = (const char *)bytes.next;
    while (take_u8(&bytes)) {
    }
    machine->code_unit = take_uleb(&bytes);
    take_uleb(&bytes); /* data unit, in one byte or more like any other */
    take_uleb(&bytes); /* register of the return address */
    uint64_t size = take_uleb(&bytes);
    struct bytes data = bytes;
    skip(&bytes, size);
    bool plain = augmentation[0] == 'z';
    for (const char *letter = augmentation + 1; plain && *letter; letter++) {
        switch (*letter) {
        case 'R':
            plain = take_u8(&data) == HERE_ENCODING;
            break;
        case 'L':
            take_u8(&data);
            break;
        case 'P':
            skip(&data, 1 + 4);
            break;
        default:
            plain = false;
        }
    }
    bytes.bad |= !plain || data.bad;
    return bytes;
}

static uint32_t evaluate(const uint8_t *record, uintptr_t address)
{
    struct machine machine = {.wanted = address};
    struct bytes bytes = record_at(record);
    const uint8_t *common = bytes.next;
    common -= take_u32(&bytes);
    uintptr_t start = (uintptr_t)bytes.next;
    start += (uintptr_t)(intptr_t)(int32_t)take_u32(&bytes);
    uint32_t size = take_u32(&bytes);
    skip(&bytes, take_uleb(&bytes));
    if (bytes.bad || address < start || address - start >= size) {
        return 0;
    }
    struct bytes initial = read_common(common, &machine);
    bool bad = initial.bad;
    if (!bad) {
        machine.at = 0;
        run(&machine, initial, &bad);
        machine.at = start;
        run(&machine, bytes, &bad);
    }
    bool plain = !bad && machine.rule.from_register == STACK_POINTER && machine.rule.offset >= 8 &&
                 machine.rule.offset <= FRAME_MAX;
    return plain ? (uint32_t)machine.rule.offset : 0;
}

/* ---- the table ---- */

struct entry {
    int32_t start, record; /* relative to the table */
};

uint32_t cfi_frame_size(const struct loaded *object, uintptr_t address)
{
    const uint8_t *table = loaded_frame_table(object);
    if (!table || table[0] != 1 || table[1] != HERE_ENCODING || table[2] != 0x03 ||
        table[3] != TABLE_ENCODING) {
        return 0;
    }
    uint32_t low = 0, high;
    memcpy(&high, table + 8, 4);
    const struct entry *entries = (const struct entry *)(table + 12);
    int64_t wanted = (int64_t)(address - 1 - (uintptr_t)table); /* in the call itself */
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (entries[middle].start <= wanted) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low ? evaluate(table + entries[low - 1].record, address - 1) : 0;
}
