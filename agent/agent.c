/*
 * The agent's beginning and end.  In the host: the constructor before main, the
 * destructor at exit; but the first malloc may come before either.
 */
#include "cstack.h"
#include "hooks.h"
#include "late.h"
#include "module.h"
#include "native.h"
#include "python.h"
#include "selfcheck.h"
#include "session.h"
#include "sys.h"
#include "thread.h"
#include "threadname.h"
#include "trace.h"

/* So that `memtrace` can tell that an agent of its own version was loaded. */
__attribute__((visibility("default"))) extern const uint32_t memtrace_agent_version;
const uint32_t memtrace_agent_version = MT_RING_VERSION;

/* What pthread_atfork calls; weak, as a C library without it must not keep its programs from
   running with us in them. */
extern int __register_atfork(void (*)(void), void (*)(void), void (*)(void), void *)
    __attribute__((weak));
extern void *__dso_handle __attribute__((visibility("hidden")));

void hooks_start(void)
{
    thread_self.depth++;
    hooks_map_resolve();
    hooks_exec_resolve();
    hooks_shell_resolve();
    threadname_resolve();
    hooks_malloc_resolve();
    native_setup();
    python_find();
    cstack_setup();
    python_may_read(false);
    session_attach();
    if (session.wanted) {
        hooks_doors_resolve();
        hooks_prefixed_resolve();
    }
    if (session.sample_bytes) {
        hooks_malloc_sample();
    }
    thread_self.depth--;
}

static void before_fork(void)
{
    if (trace_enter()) { /* not from a signal handler that interrupted a hook */
        trace_fork();
        trace_leave();
    }
}

static void after_fork(void)
{
    thread_self.fork = 0;
}

/* Where blocks are samples a process may never record one: it is in the trace all the same. */
static void appear(void)
{
    if (session.sample_bytes && trace_enter()) {
        thread_acquire();
        trace_leave();
    }
}

/* It may live on, and never allocate. */
static void come_to_be(void)
{
    struct mt_control *control = session.control;
    int pid = sys_pid();
    if (session.pid_space == control->pid_space) {
        atomic_store(&control->forked[(unsigned)pid % MT_FORKED], pid);
    }
    atomic_fetch_add(&control->forks_come, 1);
}

static void child_of_fork(void)
{
    thread_self.depth++;
    if (thread_self.fork) {
        come_to_be();
    }
    session_forked();
    thread_self.depth--;
    appear();
}

__attribute__((constructor)) static void start(void)
{
    hooks_start();
    if (!session.wanted) {
        return;
    }
    __register_atfork(before_fork, after_fork, child_of_fork, &__dso_handle);
    thread_setup();
    python_find_current();
    python_complain();
    if (!hooks_malloc_is_first()) {
        sys_complain("this program brings a malloc of its own: what that does not ask another "
                     "one for is not traced",
            NULL);
    }
    python_hook();
    module_offer();
    late_start();
    appear();
}

__attribute__((destructor)) static void stop(void)
{
    session_check_collector();
    selfcheck_report();
}
