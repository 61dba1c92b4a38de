/*
 * An interpreter that the program loads after its start: with dlopen, or as
 * what a plugin of it needs.
 */
#ifndef AGENT_LATE_H
#define AGENT_LATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "native.h"
#include "thread.h"

enum late {
    LATE_NONE, /* nobody looks for one: there was one at the start, or nothing is traced */
    LATE_LOOKING,
    LATE_FOUND, /* may still go as it came */
    LATE_PINNED
};
extern _Atomic int late __attribute__((visibility("hidden")));

/* Begins to look, if there is no interpreter. */
void late_start(void);
/* Keeps what was found loaded, so that its state can be read at any time.  Called by the
   interpreter, where it may load modules itself. */
void late_pin(void);

/* What late_allocated and late_freed are for, out of the hot path. */
void late_allocated_by(bool loader);
void late_freed_by_loader(void);

/* Called in every allocation before it is recorded. */
static inline void late_allocated(struct caller caller)
{
    if (__builtin_expect(atomic_load_explicit(&late, memory_order_relaxed) == LATE_LOOKING, 0)) {
        bool loader = native_is_loader(caller);
        if (loader != thread_self.loads) {
            late_allocated_by(loader);
        }
    }
}

/* True once there is nothing to look for any more: neither of these two does anything. */
static inline bool late_is_over(void)
{
    int now = atomic_load_explicit(&late, memory_order_relaxed);
    return now == LATE_NONE || now == LATE_PINNED;
}

static inline void late_freed(struct caller caller)
{
    if (__builtin_expect(atomic_load_explicit(&late, memory_order_relaxed) == LATE_FOUND, 0) &&
        native_is_loader(caller)) {
        late_freed_by_loader();
    }
}

#endif
