/*
 * Names of threading.Thread objects (pythreadname.h).  In the host, once for each
 * thread: reads the interpreter's memory, calls none of it.
 *
 * The lowest frame of such a thread is Thread._bootstrap(self), in whose object's
 * attributes there is _name: in a dict, or from 3.11 on beside it, with keys in
 * its type.  The shape of these has no part in what the interpreter publishes, but
 * has not changed within a version.  Each object is tried before its first read.
 */
#include "pythreadname.h"

#include <string.h>

#include "activation.h"
#include "peek.h"
#include "pycode.h"
#include "python.h"
#include "ring.h"
#include "sys.h"

#define NAME_MAX_BYTES 128u
#define KEYS_MAX 512u /* attributes of one object */
#define PAGE 4096u

/* The same from 3.8 to 3.13. */
enum { TYPE_BASICSIZE = 32, TYPE_FLAGS = 168, TYPE_DICTOFFSET = 288 };
enum { DICT_KEYS = 32, DICT_VALUES = 40 };
enum { FLAG_MANAGED_DICT = 1 << 4, FLAG_HEAP_TYPE = 1 << 9 };

/* One row for each version that does not tell the system. */
static const struct shape {
    uint16_t version;
    int16_t cached_keys;  /* in a heap type */
    int16_t managed_dict; /* pointers before the object, 0: the type says where its dict is */
    uint8_t has_lsb;      /* that pointer is a dict, or one less than values */
    int16_t values;       /* of objects without a dict, pointers before them; 0: see has_lsb */
    uint8_t is_inline;    /* values are behind the object, if it has no dict */
    int16_t first_value;  /* in values that are no dict's */
} shapes[] = {
    {.version = 0x0308},
    {.version = 0x0309},
    {.version = 0x030a},
    {.version = 0x030b, .cached_keys = 872, .managed_dict = 3, .values = 4},
    {.version = 0x030c, .cached_keys = 880, .managed_dict = 3, .has_lsb = 1},
    {.version = 0x030d, .cached_keys = 880, .managed_dict = 3, .is_inline = 1, .first_value = 8},
};

/* Attributes: `keys` with values of their own, or with `values` by the number of the key. */
struct attributes {
    uintptr_t keys, values;
};

static bool may_read(uintptr_t object)
{
    return object && object % sizeof(void *) == 0 &&
           sys_is_readable(object & ~(uintptr_t)(PAGE - 1));
}

static bool read_dict(uintptr_t dict, const struct shape *shape, struct attributes *found)
{
    if (!may_read(dict)) {
        return false;
    }
    found->keys = peek64(dict + DICT_KEYS);
    found->values = peek64(dict + DICT_VALUES);
    found->values += found->values ? (uintptr_t)shape->first_value : 0;
    return true;
}

static bool read_managed(
    uintptr_t self, uintptr_t type, const struct shape *shape, struct attributes *found)
{
    uintptr_t word = peek64(self - (uintptr_t)shape->managed_dict * sizeof(void *)), values = 0;
    if (shape->has_lsb) {
        values = word & 1 ? word + 1 : 0;
    } else if (shape->is_inline) {
        values = word ? 0 : self + peek64(type + TYPE_BASICSIZE);
    } else {
        values = peek64(self - (uintptr_t)shape->values * sizeof(void *));
    }
    if (!values) {
        return read_dict(word, shape, found);
    }
    found->keys = peek64(type + (uintptr_t)shape->cached_keys);
    found->values = values + (uintptr_t)shape->first_value;
    return true;
}

static bool read_attributes(uintptr_t self, const struct shape *shape, struct attributes *found)
{
    uintptr_t type = may_read(self) ? peek64(self + (uintptr_t)python.offsets.object_type) : 0;
    uint64_t flags = may_read(type) ? peek64(type + TYPE_FLAGS) : 0;
    if (!(flags & FLAG_HEAP_TYPE)) {
        return false;
    }
    if (shape->managed_dict) {
        return flags & FLAG_MANAGED_DICT && read_managed(self, type, shape, found);
    }
    uint64_t offset = peek64(type + TYPE_DICTOFFSET);
    return offset && offset < PAGE && read_dict(peek64(self + offset), shape, found);
}

/* Where a dict's keys have their entries. */
struct entries {
    uintptr_t first;
    uint64_t count, stride, key; /* key: in an entry; the value follows it */
};

static bool read_entries(uintptr_t keys, struct entries *found)
{
    if (!may_read(keys)) {
        return false;
    }
    if (python.offsets.version < 0x030b) {
        uint64_t size = peek64(keys + 8);
        uint64_t width = size <= UINT8_MAX ? 1 : size <= UINT16_MAX ? 2 : 4;
        *found = (struct entries){keys + 40 + size * width, peek64(keys + 32), 24, 8};
    } else {
        bool is_general = !peek8(keys + 10);
        *found = (struct entries){keys + 32 + (1ull << (peek8(keys + 9) & 31)), peek64(keys + 24),
            is_general ? 24 : 16, is_general ? 8 : 0};
    }
    return found->count <= KEYS_MAX;
}

static bool is_text(uintptr_t object, const char *text)
{
    struct pytext found;
    return may_read(object) && pycode_text(object, &found) && !found.width &&
           found.bytes == strlen(text) && memcmp(found.data, text, found.bytes) == 0;
}

static uintptr_t find_attribute(const struct attributes *attributes, const char *name)
{
    struct entries entries;
    if (!read_entries(attributes->keys, &entries)) {
        return 0;
    }
    for (uint64_t i = 0; i < entries.count; i++) {
        uintptr_t entry = entries.first + i * entries.stride + entries.key;
        if (is_text(peek64(entry), name)) {
            return peek64(attributes->values ? attributes->values + i * sizeof(void *)
                                             : entry + sizeof(void *));
        }
    }
    return 0;
}

/* ---- the name ---- */

static uint32_t character(const struct pytext *text, uint64_t i)
{
    uintptr_t at = (uintptr_t)text->data + i * (text->width ? text->width : 1);
    uint32_t wide = 0;
    memcpy(&wide, (const void *)at, text->width ? text->width : 1);
    return wide;
}

static size_t put_utf8(char *out, uint32_t c)
{
    static const uint8_t leads[] = {0, 0, 0xc0, 0xe0, 0xf0};
    size_t size = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = size; i-- > 1; c >>= 6) {
        out[i] = (char)(0x80 | (c & 0x3f));
    }
    out[0] = (char)(size > 1 ? leads[size] | c : c);
    return size;
}

static void write_name(struct thread *thread, const struct pytext *text)
{
    char name[NAME_MAX_BYTES + 4];
    size_t size = 0;
    uint64_t length = text->bytes / (text->width ? text->width : 1);
    for (uint64_t i = 0; i < length && size < NAME_MAX_BYTES; i++) {
        size += put_utf8(name + size, character(text, i));
    }
    if (size && ring_text(thread, name, size)) {
        ring_meta(thread, MT_META_THREAD_NAME, MT_NAME_OF_PYTHON, 0, NULL, 0);
    }
}

static const struct shape *shape_of_version(void)
{
    for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++) {
        if (shapes[i].version == python.offsets.version && !python.offsets.free_threaded) {
            return &shapes[i];
        }
    }
    return NULL;
}

/* The lowest frame that is Python code. */
static const struct level *bottom(const struct thread *thread)
{
    for (uint32_t i = 0; i < thread->depth && i < 2; i++) {
        if (thread->levels[i].instruction != LEVEL_SHIM) {
            return &thread->levels[i];
        }
    }
    return NULL;
}

void pythreadname_tell(struct thread *thread)
{
    const struct pyoffsets *py = &python.offsets;
    const struct shape *shape = shape_of_version();
    const struct level *level = bottom(thread);
    struct attributes attributes;
    struct pytext text;
    if (shape && !level) {
        return; /* not in Python code yet */
    }
    thread->is_unnamed = false;
    uintptr_t code = shape ? activation_code(level->frame) : 0;
    if (code && is_text(peek64(code + (uintptr_t)py->code_name), "_bootstrap") &&
        read_attributes(
            peek64(level->frame + (uintptr_t)py->frame_localsplus), shape, &attributes)) {
        uintptr_t name = find_attribute(&attributes, "_name");
        if (may_read(name) && pycode_text(name, &text)) {
            write_name(thread, &text);
        }
    }
}
