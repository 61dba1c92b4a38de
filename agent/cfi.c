/*
 * Reading .eh_frame (cfi.h; the Linux Standard Base and DWARF describe it).  In
 * the host, inside malloc.  What is not in one of the forms that compilers write is
 * "not told".
 */
#include "cfi.h"

#include <string.h>

#include "bytes.h"

#define TABLE_ENCODING 0x3b /* relative to the table, signed, 4 bytes */
#define HERE_ENCODING 0x1b  /* relative to where it stands, signed, 4 bytes */
#define OFFSET_MAX (1 << 30)
#define REMEMBERED 4

enum { OF_FRAME_POINTER = 0x76, DEREFERENCE = 0x06 }; /* of expressions */

struct machine {
    struct cfi_row row; /* what holds at one instruction */
    struct cfi_row initial, remembered[REMEMBERED];
    unsigned depth;
    uint64_t code_unit;
    int64_t data_unit;
    uintptr_t at, wanted;
};

/* ---- the program of a function ---- */

/* Others than these, which do not matter to a walk, are passed over. */
static void set_place(struct machine *machine, uint64_t number, uint8_t kind, int64_t what)
{
    if (number < CFI_REGISTERS) {
        machine->row.places[number] = (struct cfi_place){what, kind};
    }
}

static void restore(struct machine *machine, uint64_t number)
{
    if (number < CFI_REGISTERS) {
        machine->row.places[number] = machine->initial.places[number];
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
    struct cfi_row *row = &machine->row;
    switch (op) {
    case 0x0c: /* def_cfa */
    case 0x12: /* def_cfa_sf */
        row->expression = NULL;
        row->base = bytes_uleb(code);
        row->offset =
            op == 0x0c ? (int64_t)bytes_uleb(code) : bytes_sleb(code) * machine->data_unit;
        return true;
    case 0x0d: /* def_cfa_register */
        row->base = bytes_uleb(code);
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
    case 0x14: /* val_offset */
        set_place(machine, number, op == 0x05 ? CFI_AT : CFI_ABOVE,
            (int64_t)bytes_uleb(code) * machine->data_unit);
        return true;
    case 0x11: /* offset_extended_sf */
    case 0x15: /* val_offset_sf */
        set_place(machine, number, op == 0x11 ? CFI_AT : CFI_ABOVE,
            bytes_sleb(code) * machine->data_unit);
        return true;
    case 0x06: /* restore_extended */
        restore(machine, number);
        return true;
    case 0x07: /* undefined */
        set_place(machine, number, CFI_NOWHERE, 0);
        return true;
    case 0x08: /* same_value */
        set_place(machine, number, CFI_SAME, 0);
        return true;
    case 0x09: /* register */
        set_place(machine, number, CFI_IN, (int64_t)bytes_uleb(code));
        return true;
    case 0x10: /* expression */
    case 0x16: /* val_expression */
        set_place(machine, number, op == 0x10 ? CFI_EXPRESSION : CFI_VALUE,
            (intptr_t)take_expression(code));
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
            set_place(machine, op & 0x3f, CFI_AT, (int64_t)bytes_uleb(&code) * machine->data_unit);
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
    bytes.bad |= bytes_uleb(&bytes) != CFI_RETURN;
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
            machine->row.is_signal = true;
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

static bool is_near(int64_t offset)
{
    return offset > -OFFSET_MAX && offset < OFFSET_MAX;
}

/* Is the return address below the frame's top, and the frame pointer saved or left alone? */
static bool is_plain(const struct cfi_row *row)
{
    struct cfi_place ip = row->places[CFI_RETURN], bp = row->places[CFI_FRAME_POINTER];
    return ip.kind == CFI_AT && ip.what == -(int64_t)sizeof(uintptr_t) && !row->is_signal &&
           (bp.kind == CFI_SAME || (bp.kind == CFI_AT && bp.what && is_near(bp.what)));
}

static uint8_t kind_of(const struct cfi_row *row, int32_t *offset)
{
    if (row->places[CFI_RETURN].kind == CFI_NOWHERE) {
        return CFI_END;
    }
    if (!is_plain(row) || !is_near(row->offset)) {
        return CFI_OTHER;
    }
    if (row->expression) {
        return is_saved(row->expression, offset) ? CFI_SAVED : CFI_OTHER;
    }
    return row->base == CFI_STACK_POINTER   ? CFI_SP
           : row->base == CFI_FRAME_POINTER ? CFI_BP
                                            : CFI_OTHER;
}

bool cfi_find_row(const struct loaded *object, uintptr_t address, struct cfi_row *row)
{
    const uint8_t *record = find_record(object, address);
    struct machine machine = {.wanted = address};
    bool found = record && evaluate(record, &machine);
    *row = machine.row;
    return found;
}

void cfi_find(const struct loaded *object, uintptr_t address, struct cfi *cfi)
{
    struct cfi_row row;
    *cfi = (struct cfi){.kind = CFI_NONE};
    if (cfi_find_row(object, address, &row)) {
        struct cfi_place bp = row.places[CFI_FRAME_POINTER];
        *cfi = (struct cfi){.is_signal = row.is_signal,
            .offset = (int32_t)row.offset,
            .bp = bp.kind == CFI_AT ? (int32_t)bp.what : 0};
        cfi->kind = kind_of(&row, &cfi->offset);
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
