/*
 * Names of threads (threadname.h).  In the host: when a thread is first seen,
 * when it is given another name and when it ends.
 *
 * pthread_setname_np is interposed for names of threads that do not live to be
 * asked; what they are given otherwise is seen at their end.  The collector asks
 * the kernel about those that live on.
 */
#include "threadname.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>

#include "elfsym.h"
#include "hooks.h"
#include "ring.h"
#include "session.h"
#include "sys.h"
#include "trace.h"

#define EXPORT __attribute__((visibility("default")))

EXPORT int pthread_setname_np(pthread_t thread, const char *name);

static int (*next_setname)(pthread_t, const char *);
static char program[THREAD_NAME_SIZE]; /* what the first thread was called */

void threadname_resolve(void)
{
    next_setname = (int (*)(pthread_t, const char *))elfsym_next("pthread_setname_np");
}

static bool is_name_of_program(const char *name)
{
    char now[THREAD_NAME_SIZE + 1] = "";
    if (!program[0]) {
        sys_thread_name(program);
    }
    if (strcmp(name, program) == 0) {
        return true;
    }
    long fd = sys_open("/proc/self/comm", O_RDONLY, 0);
    long size = fd < 0 ? 0 : sys_read((int)fd, now, sizeof(now) - 1);
    sys_close((int)fd);
    return size > 1 && strlen(name) == (size_t)size - 1 && memcmp(name, now, (size_t)size - 1) == 0;
}

static void tell(struct thread *thread, const char *name, bool is_given)
{
    if (ring_text(thread, name, strlen(name)) &&
        ring_meta(thread, MT_META_THREAD_NAME, is_given, 0, NULL, 0)) {
        strcpy(thread->name, name);
    }
}

void threadname_begin(struct thread *thread)
{
    char name[THREAD_NAME_SIZE] = "";
    sys_thread_name(name);
    tell(thread, name, !is_name_of_program(name));
}

void threadname_tell(struct thread *thread)
{
    char name[THREAD_NAME_SIZE] = "";
    sys_thread_name(name);
    if (strcmp(name, thread->name) != 0) {
        tell(thread, name, true);
    }
}

/* The calling thread's, most likely; if it was another's, that one will tell. */
int pthread_setname_np(pthread_t named, const char *name)
{
    if (!next_setname) {
        hooks_start();
    }
    int error = next_setname ? next_setname(named, name) : ENOSYS;
    if (error == 0 && thread_self.thread && trace_enter()) {
        threadname_tell(thread_self.thread);
        trace_leave();
    }
    return error;
}
