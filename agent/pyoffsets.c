/*
 * Chooses the row of offsets for an interpreter, and prefers what the
 * interpreter publishes of itself (_Py_DebugOffsets, the first field of
 * _PyRuntime from 3.13 on).
 *
 * Runs in the host, in the library's constructor, perhaps under the loader's
 * lock: no allocation, no stdio, nothing of libc but memcmp and memcpy.
 */
#include "pyoffsets.h"

#include <stddef.h>
#include <string.h>

#include "memtrace/ring.h"

#define OFFSET_LIMIT 4096u
#define RUNTIME_LIMIT (1u << 20)
#define FINAL_RELEASE 0xfu
#define COOKIE "xdebugpy"

/* A field that the interpreter publishes: where in its struct, and which of ours it is. */
struct published_field {
    uint16_t where;
    uint16_t field; /* an int16_t of struct pyoffsets */
};

/* Where _Py_DebugOffsets of one minor version has what. */
struct published {
    uint16_t version;
    uint16_t cookie;
    uint16_t hex;
    uint16_t free_threaded;
    uint16_t finalizing;
    uint16_t field_count;
    struct published_field fields[24];
};

#include "pyoffsets_table.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct pyoffsets *find_row(uint16_t version, bool free_threaded)
{
    for (size_t i = 0; i < COUNT(pyoffsets_rows); i++) {
        if (pyoffsets_rows[i].version == version &&
            pyoffsets_rows[i].free_threaded == free_threaded) {
            return &pyoffsets_rows[i];
        }
    }
    return NULL;
}

static const struct published *find_published(uint16_t version)
{
    for (size_t i = 0; i < COUNT(published_rows); i++) {
        if (published_rows[i].version == version) {
            return &published_rows[i];
        }
    }
    return NULL;
}

static uint64_t read_word(const char *runtime, uint16_t where)
{
    uint64_t value;
    memcpy(&value, runtime + where, sizeof(value));
    return value;
}

/* Structures are fixed within a minor version, but only once it is released. */
static bool is_release_of(uint16_t minor, uint64_t version)
{
    return version >> 16 == minor && ((version >> 4) & 0xf) == FINAL_RELEASE;
}

static bool check_build(const struct published *row, const char *runtime)
{
    return memcmp(runtime + row->cookie, COOKIE, sizeof(COOKIE) - 1) == 0 &&
           is_release_of(row->version, read_word(runtime, row->hex));
}

static bool take_published(struct pyoffsets *out, const struct published *row, const char *runtime)
{
    for (size_t i = 0; i < row->field_count; i++) {
        uint64_t value = read_word(runtime, row->fields[i].where);
        if (value >= OFFSET_LIMIT) {
            return false;
        }
        int16_t offset = (int16_t)value;
        memcpy((char *)out + row->fields[i].field, &offset, sizeof(offset));
    }
    uint64_t finalizing = read_word(runtime, row->finalizing);
    out->runtime_finalizing = (int32_t)finalizing;
    return finalizing < RUNTIME_LIMIT;
}

bool pyoffsets_find(struct pyoffsets *out, uint32_t version, const void *runtime)
{
    uint16_t minor = (uint16_t)(version >> 16);
    const struct published *published = find_published(minor);
    if (!is_release_of(minor, version) ||
        (published != NULL && (runtime == NULL || !check_build(published, runtime)))) {
        return false;
    }
    bool free_threaded = published != NULL && read_word(runtime, published->free_threaded) != 0;
    const struct pyoffsets *row = find_row(minor, free_threaded);
    if (row == NULL) {
        return false;
    }
    *out = *row;
    return published == NULL || take_published(out, published, runtime);
}
