/*
 * Attaching to a session and leaving it (session.h).  In the host, from the
 * first malloc on; no libc call that could allocate.
 */
#include "session.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "elfsym.h"
#include "follow.h"
#include "native.h"
#include "order.h"
#include "sample.h"
#include "sys.h"
#include "thread.h"
#include "trace.h"

struct session session;

_Alignas(SESSION_PAGE) union session_live session_live;

static char directory[SESSION_PATH_MAX];
static bool attempted;

bool session_path(char path[SESSION_PATH_MAX], const char *name)
{
    size_t length = strlen(directory), more = strlen(name);
    if (length + 1 + more >= SESSION_PATH_MAX) {
        return false;
    }
    memcpy(path, directory, length);
    path[length] = '/';
    memcpy(path + length + 1, name, more + 1);
    return true;
}

const char *session_variable(const char *name)
{
    size_t length = strlen(name);
    for (char **entry = environ; entry && *entry; entry++) {
        if (strncmp(*entry, name, length) == 0 && (*entry)[length] == '=') {
            return *entry + length + 1;
        }
    }
    return NULL;
}

static size_t control_size(void)
{
    return session.has_loans ? MT_CONTROL_BYTES : sizeof(struct mt_control);
}

/* What is lent is done without where the file is short of it, or addresses are scarce. */
static struct mt_control *map_file(int fd)
{
    struct mt_control *control = NULL;
    if (!sys_has_few_addresses() && sys_file_is_ours(fd, MT_CONTROL_BYTES)) {
        control = sys_map(NULL, MT_CONTROL_BYTES, MAP_SHARED, fd, 0);
        /* Out of the reach of mlockall, which would give it memory. */
        session.has_loans = control && sys_protect((uint8_t *)control + MT_LOANS_AT,
                                           MT_CONTROL_BYTES - MT_LOANS_AT, PROT_NONE);
    }
    /* Where a session has been another user may have put something of the same name. */
    if (!control && sys_file_is_ours(fd, sizeof(*control))) {
        control = sys_map(NULL, sizeof(*control), MAP_SHARED, fd, 0);
    }
    return control;
}

static struct mt_control *map_control(void)
{
    char path[SESSION_PATH_MAX];
    if (!session_path(path, MT_CONTROL_NAME)) {
        return NULL;
    }
    long fd = sys_open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK, 0);
    if (fd < 0) {
        return NULL;
    }
    struct mt_control *control = map_file((int)fd);
    sys_close((int)fd);
    return control;
}

static bool control_fits(const struct mt_control *control)
{
    return control->magic == MT_CONTROL_MAGIC && control->version == MT_RING_VERSION;
}

/* Not with --no-children, unless it is the first process, whatever that has become by exec. */
static bool is_wanted(const struct mt_control *control)
{
    return !control->only_pid || control->only_pid == sys_pid();
}

static void find_pid(void)
{
    struct stat status;
    session.pid = sys_pid();
    session.pid_space =
        sys_status("/proc/self/ns/pid", &status) ? status.st_ino : session.control->pid_space;
}

static void join(struct mt_control *control)
{
    session.control = control;
    find_pid();
    session.image = atomic_fetch_add(&control->images_used, 1) + 1;
    order_restart();
    session.sample_bytes = control->sample_bytes;
    session.wanted = true;
    follow_start(directory);
    native_whole = control->flags & MT_SESSION_NATIVE;
    sys_wipe_on_fork(&session_live, sizeof(session_live));
    session_pause(control->flags & MT_SESSION_PAUSED);
}

/* The first program that was started as another user says it for those that it starts. */
static void say_if_foreign(void)
{
    char path[SESSION_PATH_MAX];
    if (session_path(path, MT_CONTROL_NAME) && sys_is_forbidden(path)) {
        sys_complain("the session is another user's: this program is not traced "
                     "(`memtrace run` as the user that it runs as does it)",
            NULL);
        follow_no_more();
    }
}

void session_attach(void)
{
    if (attempted || !environ) {
        return;
    }
    attempted = true;
    const char *wanted = session_variable(MT_SESSION_ENV);
    follow_hide();
    if (!wanted || wanted[0] != '/' || strlen(wanted) >= sizeof(directory)) {
        return;
    }
    strcpy(directory, wanted);
    struct mt_control *control = map_control();
    if (!control) {
        say_if_foreign();
        return; /* the session is over: a program that outlived it is left in peace */
    }
    if (!elfsym_find("gnu_get_libc_version")) {
        sys_complain("a program of another C library than glibc: it is not traced", NULL);
        sys_unmap(control, control_size());
        return;
    }
    if (!control_fits(control)) {
        sys_complain("the agent and `memtrace` are of different versions: nothing is traced; "
                     "install one of them again",
            NULL);
        sys_unmap(control, control_size());
        return;
    }
    if (atomic_load(&control->state) == MT_STATE_RUNNING && is_wanted(control)) {
        join(control);
    }
}

bool session_off(const char *why)
{
    session_live.on = 0;
    bool first = __atomic_exchange_n(&session.wanted, false, __ATOMIC_RELAXED);
    if (why && first) {
        sys_complain(why, ": tracing is off, the program goes on", NULL);
    }
    return first;
}

void session_pause(bool paused)
{
    session.paused = paused;
    if (session.wanted) {
        session_live.on = paused ? SESSION_PAUSED : 1;
    }
}

void session_forked(void)
{
    if (!session.wanted || sys_pid() == session.pid) {
        return;
    }
    uint64_t blocked = sys_block_signals();
    const struct thread *forking = thread_self.thread;
    session.is_forked = forking && forking->ring;
    if (session.is_forked) {
        session.forked_at[0] = forking->ring->number;
        session.forked_at[1] = forking->head;
    }
    thread_forget_all();
    if (!is_wanted(session.control)) {
        session_off(NULL);
        sys_restore_signals(blocked);
        return;
    }
    session.parent_image = session.image;
    session.parent_fork = thread_self.fork;
    thread_self.fork = 0;
    atomic_store(&session.forks, 0);
    session.image = atomic_fetch_add(&session.control->images_used, 1) + 1;
    find_pid();
    order_restart();
    sample_forked();
    trace_forked();
    session_pause(session.paused);
    sys_restore_signals(blocked);
}

void session_check_collector(void)
{
    if (session.wanted && sys_pid() == session.pid &&
        atomic_load(&session.control->state) == MT_STATE_RUNNING &&
        !session_collector_lives()) {
        session_off("the collector is gone");
    }
}
