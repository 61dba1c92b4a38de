/*
 * operator new and delete as tcmalloc and mimalloc have them under their own
 * names: tc_new, mi_new.  Of the allocator whose malloc is behind ours
 * (hooks_doors.c).  In the host, in every call.
 *
 * What mimalloc alone has beside them may fail as operator new does: with a handler, an exception
 * or the program's end.  So that is called outside of a hook, after what returns NULL has.
 */
#include <string.h>

#include "doors.h"
#include "hooks.h"
#include "rebind.h"

static struct {
    new_plain *tc_new, *tc_newarray, *mi_new;
    new_calm *tc_new_nothrow, *tc_newarray_nothrow, *mi_new_nothrow;
    new_aligned *tc_new_aligned, *tc_newarray_aligned, *mi_new_aligned;
    new_aligned_calm *tc_new_aligned_nothrow, *tc_newarray_aligned_nothrow, *mi_new_aligned_nothrow;
    real_delete *tc_delete, *tc_delete_nothrow, *tc_delete_sized, *tc_delete_aligned,
        *tc_delete_aligned_nothrow, *tc_delete_sized_aligned;
    real_delete *tc_deletearray, *tc_deletearray_nothrow, *tc_deletearray_sized,
        *tc_deletearray_aligned, *tc_deletearray_aligned_nothrow, *tc_deletearray_sized_aligned;
    void *(*mi_new_n)(size_t, size_t);
} next;

#define NEW(name)                                                                                  \
    static void *hook_##name(size_t size)                                                          \
    {                                                                                              \
        return doors_new(next.name, next.name##_nothrow, size, NATIVE_CALLER);                     \
    }                                                                                              \
    static void *hook_##name##_nothrow(size_t size, const void *tag)                               \
    {                                                                                              \
        return doors_new_calm(next.name##_nothrow, size, tag, NATIVE_CALLER);                      \
    }                                                                                              \
    static void *hook_##name##_aligned(size_t size, size_t alignment)                              \
    {                                                                                              \
        return doors_new_aligned(                                                                  \
            next.name##_aligned, next.name##_aligned_nothrow, size, alignment, NATIVE_CALLER);     \
    }                                                                                              \
    static void *hook_##name##_aligned_nothrow(size_t size, size_t alignment, const void *tag)     \
    {                                                                                              \
        return doors_new_aligned_calm(                                                             \
            next.name##_aligned_nothrow, size, alignment, tag, NATIVE_CALLER);                     \
    }

NEW(tc_new)
NEW(tc_newarray)
NEW(mi_new)

#define DELETE(name)                                                                               \
    static void hook_##name(void *block, size_t a, const void *b)                                  \
    {                                                                                              \
        struct nested outer;                                                                       \
        enum entry entry = doors_begin_delete(&outer, block, NATIVE_CALLER);                       \
        next.name(block, a, b);                                                                    \
        doors_end_delete(entry, &outer);                                                           \
    }

DELETE(tc_delete)
DELETE(tc_delete_nothrow)
DELETE(tc_delete_sized)
DELETE(tc_delete_aligned)
DELETE(tc_delete_aligned_nothrow)
DELETE(tc_delete_sized_aligned)
DELETE(tc_deletearray)
DELETE(tc_deletearray_nothrow)
DELETE(tc_deletearray_sized)
DELETE(tc_deletearray_aligned)
DELETE(tc_deletearray_aligned_nothrow)
DELETE(tc_deletearray_sized_aligned)

/* ---- mimalloc's ---- */

static void *hook_mi_new_n(size_t count, size_t size)
{
    struct caller caller = NATIVE_CALLER;
    size_t bytes;
    bool is_sum = !__builtin_mul_overflow(count, size, &bytes);
    return is_sum && next.mi_new ? doors_new(next.mi_new, next.mi_new_nothrow, bytes, caller)
                                 : next.mi_new_n(count, size);
}

/* ---- */

#define DOOR(name)                                                                                 \
    {                                                                                              \
#name, (void *)hook_##name, (void **)&next.name                                            \
    }
#define NEW_DOORS(name)                                                                            \
    DOOR(name), DOOR(name##_nothrow), DOOR(name##_aligned), DOOR(name##_aligned_nothrow)
#define DELETE_DOORS(name) NEW_DOORS(name), DOOR(name##_sized), DOOR(name##_sized_aligned)

static const struct rebind doors[] = {
    NEW_DOORS(tc_new),
    NEW_DOORS(tc_newarray),
    DELETE_DOORS(tc_delete),
    DELETE_DOORS(tc_deletearray),
    NEW_DOORS(mi_new),
    DOOR(mi_new_n),
};

void hooks_new_resolve(const void *allocator, bool itself)
{
    rebind(doors, sizeof(doors) / sizeof(doors[0]), allocator, itself);
}
