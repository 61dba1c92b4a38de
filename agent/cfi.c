/*
 * Reading .eh_frame (cfi.h; the Linux Standard Base and DWARF describe it).  In
 * the host, inside malloc.  Of the registers only what a walk needs is looked at:
 * stack pointer, frame pointer and return address.  What is not in one of the
 * forms that compilers write is "not told".
 */
#include "cfi.h"

#include <string.h>

#include "bytes.h"

#define TABLE_ENCODING 0x3b /* relative to the table, signed, 4 bytes */
#define HERE_ENCODING 0x1b  /* relative to where it stands, signed, 4 bytes */
#define OFFSET_MAX (1 << 30)
#define REMEMBERED 8

enum { FRAME_POINTER = 6, STACK_POINTER = 7, RETURN_ADDRESS = 16 }; /* DWARF's numbers */
enum { OF_FRAME_POINTER = 0x76, DEREFERENCE = 0x06 };               /* of expressions */

/* What holds at one instruction. */
struct row {
    uint64_t from_register;
    int64_t offset;
    const uint8_t *expression; /* in place of the two */
    struct cfi_place bp, ip;
};

struct machine {
    struct row row, initial, remembered[REMEMBERED];
    unsigned depth;
    uint64_t code_unit;
    int64_t data_unit;
    uintptr_t at, wanted;
    bool is_signal;
};

/* ---- the program of a function ---- */

static void set_place(struct machine *machine, uint64_t number, uint8_t kind, int64_t offset,
    const uint8_t *expression)
{
    struct cfi_place place = {kind, (int32_t)offset, expression};
    if (offset <= -OFFSET_MAX || offset >= OFFSET_MAX) {
        place.kind = CFI_LOST;
    }
    if (number == FRAME_POINTER) {
        machine->row.bp = place;
    } else if (number == RETURN_ADDRESS) {
        machine->row.ip = place;
    }
}

static void restore(struct machine *machine, uint64_t number)
{
    if (number == FRAME_POINTER) {
        machine->row.bp = machine->initial.bp;
    } else if (number == RETURN_ADDRESS) {
        machine->row.ip = machine->initial.ip;
    }
}

static const uint8_t *take_expression(struct bytes *code)
{
    const uint8_t *expression = code->next;
    bytes_skip(code, bytes_uleb(code));
    return expression;
}

/* Instructions that say where the frame's top is; false if it is none of them. */
static bool run_top(struct machine *machine, struct bytes *code, uint8_t op)
{
    struct row *row = &machine->row;
    switch (op) {
    case 0x0c: /* def_cfa */
    case 0x12: /* def_cfa_sf */
        row->expression = NULL;
        row->from_register = bytes_uleb(code);
        row->offset =
            op == 0x0c ? (int64_t)bytes_uleb(code) : bytes_sleb(code) * machine->data_unit;
        return true;
    case 0x0d: /* def_cfa_register */
        row->from_register = bytes_uleb(code);
        return true;
    case 0x0e: /* def_cfa_offset */
        row->offset = (int64_t)bytes_uleb(code);
        return true;
    case 0x13: /* def_cfa_offset_sf */
        row->offset = bytes_sleb(code) * machine->data_unit;
        return true;
    case 0x0f: /* def_cfa_expression */
        row->expression = take_expression(code);
        return true;
    default:
        return false;
    }
}

/* Instructions that say where a register is; false if it is none of them. */
static bool run_register(struct machine *machine, struct bytes *code, uint8_t op)
{
    uint64_t number = op == 0x00 || op > 0x16 ? 0 : bytes_uleb(code);
    switch (op) {
    case 0x05: /* offset_extended */
        set_place(machine, number, CFI_AT, (int64_t)bytes_uleb(code) * machine->data_unit, NULL);
        return true;
    case 0x11: /* offset_extended_sf */
        set_place(machine, number, CFI_AT, bytes_sleb(code) * machine->data_unit, NULL);
        return true;
    case 0x06: /* restore_extended */
        restore(machine, number);
        return true;
    case 0x07: /* undefined */
        set_place(machine, number, CFI_NOWHERE, 0, NULL);
        return true;
    case 0x08: /* same_value */
        set_place(machine, number, CFI_SAME, 0, NULL);
        return true;
    case 0x10: /* expression */
    case 0x16: /* val_expression */
        set_place(
            machine, number, op == 0x10 ? CFI_EXPRESSION : CFI_VALUE, 0, take_expression(code));
        return true;
    case 0x09: /* register */
    case 0x14: /* val_offset */
        bytes_uleb(code);
        set_place(machine, number, CFI_LOST, 0, NULL);
        return true;
    case 0x15: /* val_offset_sf */
        bytes_sleb(code);
        set_place(machine, number, CFI_LOST, 0, NULL);
        return true;
    default:
        return false;
    }
}

/* The instructions that fall between the common three. */
static void run_other(struct machine *machine, struct bytes *code, uint8_t op)
{
    switch (op) {
    case 0x00: /* nop */
        break;
    case 0x02: /* advance_loc1 */
        machine->at += bytes_number(code, 1) * machine->code_unit;
        break;
    case 0x03: /* advance_loc2 */
        machine->at += bytes_number(code, 2) * machine->code_unit;
        break;
    case 0x04: /* advance_loc4 */
        machine->at += bytes_number(code, 4) * machine->code_unit;
        break;
    case 0x0a: /* remember_state */
        code->bad |= machine->depth == REMEMBERED;
        machine->remembered[machine->depth++ % REMEMBERED] = machine->row;
        break;
    case 0x0b: /* restore_state */
        code->bad |= machine->depth == 0;
        machine->row = machine->remembered[--machine->depth % REMEMBERED];
        break;
    case 0x2e: /* GNU_args_size */
        bytes_uleb(code);
        break;
    default:
        code->bad |= !run_top(machine, code, op) && !run_register(machine, code, op);
    }
}

/* Up to the wanted address. */
static void run(struct machine *machine, struct bytes code, bool *bad)
{
    while (code.next < code.end && !code.bad) {
        uint8_t op = bytes_u8(&code);
        switch (op & 0xc0) {
        case 0x40: /* advance_loc */
            machine->at += (op & 0x3f) * machine->code_unit;
            break;
        case 0x80: /* offset: where a register is saved */
            set_place(
                machine, op & 0x3f, CFI_AT, (int64_t)bytes_uleb(&code) * machine->data_unit, NULL);
            break;
        case 0xc0:
            restore(machine, op & 0x3f);
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
    uint32_t length = bytes_u32(&bytes);
    bytes.bad = length == 0 || length > INT32_MAX;
    bytes.end = bytes.next + (bytes.bad ? 0 : length);
    return bytes;
}

/* The common part: leaves the instructions.  Its augmentation may say how pointers are written, how
   exceptions pass, and that it is of a signal's frame. */
static struct bytes read_common(const uint8_t *start, struct machine *machine)
{
    struct bytes bytes = record_at(start);
    bytes.bad |= bytes_u32(&bytes) != 0 || bytes_u8(&bytes) != 1;
    const char *augmentation = (const char *)bytes.next;
    while (bytes_u8(&bytes)) {
    }
    machine->code_unit = bytes_uleb(&bytes);
    machine->data_unit = bytes_sleb(&bytes);
    bytes.bad |= bytes_uleb(&bytes) != RETURN_ADDRESS;
    uint64_t size = bytes_uleb(&bytes);
    struct bytes data = bytes;
    bytes_skip(&bytes, size);
    bool plain = augmentation[0] == 'z';
    for (const char *letter = augmentation + 1; plain && *letter; letter++) {
        switch (*letter) {
        case 'R':
            plain = bytes_u8(&data) == HERE_ENCODING;
            break;
        case 'L':
            bytes_u8(&data);
            break;
        case 'P':
            bytes_skip(&data, 1 + 4);
            break;
        case 'S':
            machine->is_signal = true;
            break;
        default:
            plain = false;
        }
    }
    bytes.bad |= !plain || data.bad;
    return bytes;
}

struct range {
    uintptr_t start, end;
};

/* The start of a function's record: leaves the instructions. */
static struct bytes read_function(const uint8_t *record, struct range *range)
{
    struct bytes bytes = record_at(record);
    bytes_u32(&bytes);
    range->start = (uintptr_t)bytes.next;
    range->start += (uintptr_t)(intptr_t)(int32_t)bytes_u32(&bytes);
    range->end = range->start + bytes_u32(&bytes);
    bytes_skip(&bytes, bytes_uleb(&bytes));
    return bytes;
}

static bool evaluate(const uint8_t *record, struct machine *machine)
{
    struct range range;
    struct bytes common_at = record_at(record);
    const uint8_t *common = common_at.next;
    common -= bytes_u32(&common_at);
    struct bytes bytes = read_function(record, &range);
    if (bytes.bad || machine->wanted < range.start || machine->wanted >= range.end) {
        return false;
    }
    struct bytes initial = read_common(common, machine);
    bool bad = initial.bad;
    if (!bad) {
        machine->at = 0;
        run(machine, initial, &bad);
        machine->initial = machine->row;
        machine->at = range.start;
        run(machine, bytes, &bad);
    }
    return !bad;
}

/* ---- the table ---- */

struct entry {
    int32_t start, record; /* relative to the table */
};

static const uint8_t *find_record(const struct loaded *object, uintptr_t address)
{
    const uint8_t *table = loaded_frame_table(object);
    if (!table || table[0] != 1 || table[1] != HERE_ENCODING || table[2] != 0x03 ||
        table[3] != TABLE_ENCODING) {
        return NULL;
    }
    uint32_t low = 0, high;
    memcpy(&high, table + 8, 4);
    const struct entry *entries = (const struct entry *)(table + 12);
    int64_t wanted = (int64_t)(address - (uintptr_t)table);
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (entries[middle].start <= wanted) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low ? table + entries[low - 1].record : NULL;
}

/* "What lies at so much above the frame pointer", as functions have it that align their stack. */
static bool is_saved(const uint8_t *expression, int32_t *offset)
{
    struct bytes bytes = {expression, expression + 1, false};
    bytes.end += bytes_u8(&bytes) & 0x7f;
    if (bytes_u8(&bytes) != OF_FRAME_POINTER) {
        return false;
    }
    *offset = (int32_t)bytes_sleb(&bytes);
    return bytes_u8(&bytes) == DEREFERENCE && !bytes.bad && bytes.next == bytes.end;
}

static void classify(const struct machine *machine, struct cfi *cfi)
{
    const struct row *row = &machine->row;
    uint8_t base = row->expression                       ? CFI_OTHER
                   : row->from_register == STACK_POINTER ? CFI_SP
                   : row->from_register == FRAME_POINTER ? CFI_BP
                                                         : CFI_NONE;
    bool plain = row->ip.kind == CFI_AT && row->ip.offset == -(int32_t)sizeof(uintptr_t) &&
                 (row->bp.kind == CFI_SAME || (row->bp.kind == CFI_AT && row->bp.offset)) &&
                 !machine->is_signal;
    cfi->is_signal = machine->is_signal;
    cfi->offset = (int32_t)row->offset;
    cfi->bp = row->bp.kind == CFI_AT ? row->bp.offset : 0;
    if (row->ip.kind == CFI_NOWHERE) {
        cfi->kind = CFI_END;
    } else if (base == CFI_NONE || row->ip.kind == CFI_LOST || row->offset <= -OFFSET_MAX ||
               row->offset >= OFFSET_MAX) {
        cfi->kind = CFI_NONE;
    } else if (plain && base != CFI_OTHER) {
        cfi->kind = base;
    } else if (plain && is_saved(row->expression, &cfi->offset)) {
        cfi->kind = CFI_SAVED;
    } else {
        cfi->kind = CFI_OTHER;
        cfi->places.base = base;
        cfi->places.expression = row->expression;
        cfi->places.bp = row->bp;
        cfi->places.ip = row->ip;
    }
}

void cfi_find(const struct loaded *object, uintptr_t address, struct cfi *cfi)
{
    const uint8_t *record = find_record(object, address);
    struct machine machine = {.wanted = address};
    *cfi = (struct cfi){.kind = CFI_NONE};
    if (record && evaluate(record, &machine)) {
        classify(&machine, cfi);
    }
}

bool cfi_function(const struct loaded *object, uintptr_t address, uintptr_t *start, uintptr_t *end)
{
    const uint8_t *record = find_record(object, address);
    struct range range;
    if (!record || read_function(record, &range).bad || address < range.start ||
        address >= range.end) {
        return false;
    }
    *start = range.start;
    *end = range.end;
    return true;
}
