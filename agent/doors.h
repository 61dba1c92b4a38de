/*
 * What hooks of an allocator's other doors do around the real function
 * (hooks_doors.c).  In the host.
 */
#ifndef AGENT_DOORS_H
#define AGENT_DOORS_H

#include <stdbool.h>
#include <stddef.h>

#include "native.h"
#include "nested.h"

/* An object with an allocator of its own: what its code calls inside of a hook is no event. */
void doors_own(const void *function);

/* Around a call that gives a block. */
enum entry doors_begin(struct nested *outer, struct caller caller);
void *doors_end(
    void *block, size_t size, struct caller caller, enum entry entry, const struct nested *outer);
void doors_end_delete(enum entry entry, const struct nested *outer);
/* Where there is no block, or nobody wants to know. */
static inline void *doors_leave(void *block, enum entry entry, const struct nested *outer)
{
    doors_end_delete(entry, outer);
    return block;
}
/* Before a call that takes one; what must be called after it. */
enum entry doors_begin_delete(struct nested *outer, const void *block, struct caller caller);
/* Around a call that moves one.  *known: it is in the accounts.  Without a block it was not moved.
 */
enum entry doors_begin_move(
    struct nested *outer, const void *block, bool *known, struct caller caller);
void doors_end_move(const void *old, bool known, const void *block, size_t size,
    struct caller caller, enum entry entry, const struct nested *outer);
/* Of a block that was got while no hook was under way. */
void *doors_note(void *block, size_t size, struct caller caller);

/* operator new and delete.  What may throw is called outside of a hook, and only if what may not
   has failed; that one is not called where a handler is set, which it would call. */
typedef void *new_plain(size_t size);
typedef void *new_calm(size_t size, const void *nothrow);
typedef void *new_aligned(size_t size, size_t alignment);
typedef void *new_aligned_calm(size_t size, size_t alignment, const void *nothrow);
/* Enough for all of them: what is not a parameter of the real one is not looked at. */
typedef void real_delete(void *block, size_t a, const void *b);

void *doors_new(new_plain *real, new_calm *calm, size_t size, struct caller caller);
void *doors_new_calm(new_calm *real, size_t size, const void *tag, struct caller caller);
void *doors_new_aligned(
    new_aligned *real, new_aligned_calm *calm, size_t size, size_t alignment, struct caller caller);
void *doors_new_aligned_calm(
    new_aligned_calm *real, size_t size, size_t alignment, const void *tag, struct caller caller);

/* Their hooks, hook_NAME, where `next` has the real ones: NAME, NAME_nothrow, NAME_aligned and
   NAME_aligned_nothrow. */
#define DOORS_NEW(name)                                                                            \
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

#define DOORS_DELETE(name)                                                                         \
    static void hook_##name(void *block, size_t a, const void *b)                                  \
    {                                                                                              \
        struct nested outer;                                                                       \
        enum entry entry = doors_begin_delete(&outer, block, NATIVE_CALLER);                       \
        next.name(block, a, b);                                                                    \
        doors_end_delete(entry, &outer);                                                           \
    }

#endif
