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

DOORS_NEW(tc_new)
DOORS_NEW(tc_newarray)
DOORS_NEW(mi_new)

DOORS_DELETE(tc_delete)
DOORS_DELETE(tc_delete_nothrow)
DOORS_DELETE(tc_delete_sized)
DOORS_DELETE(tc_delete_aligned)
DOORS_DELETE(tc_delete_aligned_nothrow)
DOORS_DELETE(tc_delete_sized_aligned)
DOORS_DELETE(tc_deletearray)
DOORS_DELETE(tc_deletearray_nothrow)
DOORS_DELETE(tc_deletearray_sized)
DOORS_DELETE(tc_deletearray_aligned)
DOORS_DELETE(tc_deletearray_aligned_nothrow)
DOORS_DELETE(tc_deletearray_sized_aligned)

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
