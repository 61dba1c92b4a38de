/*
 * What hooks of functions that an allocator has under its own names are made of
 * (hooks_named.c, hooks_prefixed.c).  In the host.
 */
#ifndef AGENT_NAMED_H
#define AGENT_NAMED_H

#include "doors.h"

/* Each defines next_NAME and hook_NAME.  `bytes` is what the caller asked for, of the parameters.
 */
#define GIVES(name, parameters, arguments, bytes)                                                  \
    static void *(*next_##name)parameters;                                                         \
    static void *hook_##name parameters                                                            \
    {                                                                                              \
        struct caller caller = NATIVE_CALLER;                                                      \
        struct nested outer;                                                                       \
        enum entry entry = doors_begin(&outer, caller);                                            \
        void *block = next_##name arguments;                                                       \
        return entry == ENTRY_NONE || !block ? doors_leave(block, entry, &outer)                   \
                                             : doors_end(block, bytes, caller, entry, &outer);     \
    }

/* The block is `old`; of no size it is freed, whatever comes back. */
#define MOVES(name, parameters, arguments, bytes)                                                  \
    static void *(*next_##name)parameters;                                                         \
    static void *hook_##name parameters                                                            \
    {                                                                                              \
        struct caller caller = NATIVE_CALLER;                                                      \
        struct nested outer;                                                                       \
        bool known = false;                                                                        \
        bool is_move = old && (bytes) != 0;                                                        \
        enum entry entry = is_move ? doors_begin_move(&outer, old, &known, caller)                 \
                           : old   ? doors_begin_delete(&outer, old, caller)                       \
                                   : doors_begin(&outer, caller);                                    \
        void *block = next_##name arguments;                                                       \
        if (is_move) {                                                                             \
            doors_end_move(old, known, block, bytes, caller, entry, &outer);                       \
            return block;                                                                          \
        }                                                                                          \
        return entry == ENTRY_NONE || !block ? doors_leave(block, entry, &outer)                   \
                                             : doors_end(block, bytes, caller, entry, &outer);     \
    }

#define TAKES(name, parameters, arguments)                                                         \
    static void(*next_##name) parameters;                                                          \
    static void hook_##name parameters                                                             \
    {                                                                                              \
        struct nested outer;                                                                       \
        enum entry entry = doors_begin_delete(&outer, block, NATIVE_CALLER);                       \
        next_##name arguments;                                                                     \
        doors_end_delete(entry, &outer);                                                           \
    }

/* The malloc family with a prefix. */
#define FAMILY(prefix)                                                                             \
    GIVES(prefix##_malloc, (size_t size), (size), size)                                            \
    GIVES(prefix##_calloc, (size_t count, size_t size), (count, size), count *size)                \
    MOVES(prefix##_realloc, (void *old, size_t size), (old, size), size)                           \
    GIVES(prefix##_memalign, (size_t alignment, size_t size), (alignment, size), size)             \
    GIVES(prefix##_valloc, (size_t size), (size), size)                                            \
    GIVES(prefix##_pvalloc, (size_t size), (size), size)                                           \
    TAKES(prefix##_free, (void *block), (block))                                                   \
    TAKES(prefix##_cfree, (void *block), (block))                                                  \
    static int (*next_##prefix##_posix_memalign)(void **, size_t, size_t);                         \
    static int hook_##prefix##_posix_memalign(void **out, size_t alignment, size_t size)           \
    {                                                                                              \
        struct caller caller = NATIVE_CALLER;                                                      \
        struct nested outer;                                                                       \
        enum entry entry = doors_begin(&outer, caller);                                            \
        int error = next_##prefix##_posix_memalign(out, alignment, size);                          \
        if (entry == ENTRY_NONE || error) {                                                        \
            doors_leave(NULL, entry, &outer);                                                      \
        } else {                                                                                   \
            doors_end(*out, size, caller, entry, &outer);                                          \
        }                                                                                          \
        return error;                                                                              \
    }

/* In a table of struct rebind. */
#define DOOR(name)                                                                                 \
    {                                                                                              \
#name, (void *)hook_##name, (void **)&next_##name                                          \
    }
#define DOORS(prefix)                                                                              \
    DOOR(prefix##_malloc), DOOR(prefix##_calloc), DOOR(prefix##_realloc), DOOR(prefix##_memalign), \
        DOOR(prefix##_valloc), DOOR(prefix##_pvalloc), DOOR(prefix##_free), DOOR(prefix##_cfree),  \
        DOOR(prefix##_posix_memalign)

#endif
