/*
 * The agent's membership in a session: attaching, leaving, forking.  In the host.
 */
#ifndef AGENT_SESSION_H
#define AGENT_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "memtrace/ring.h"
#include "sys.h"

#define SESSION_PATH_MAX 1024u

struct session {
    struct mt_control *control;
    bool has_loans; /* the whole control file is mapped, not the control block alone */
    uint32_t image, parent_image;
    uint32_t parent_fork;  /* which fork of the parent made this image, 0: not known */
    _Atomic uint32_t forks; /* of this image */
    int pid;
    uint64_t pid_space; /* as struct mt_ring has it */
    bool is_forked;        /* and then: where its parent's ring stood */
    uint64_t forked_at[2]; /* slot, position */
    bool wanted;           /* attached and not turned off */
    bool paused;           /* allocations are not recorded */
    uint64_t sample_bytes; /* one sample in so many bytes; 0: all blocks are recorded */
    /* Nonzero while there has been one thread alone: libc's flag, but sticky (order.h). */
    const char *_Atomic single;
};
extern struct session session __attribute__((visibility("hidden")));

#define SESSION_PAUSED 2u

/* 1 while events are recorded, SESSION_PAUSED while allocations are not.  Lives in a page that the
   kernel wipes in a forked child, so that a fork which bypasses every handler cannot write to its
   parent's rings. */
#define SESSION_PAGE 4096u
extern union session_live {
    volatile uint32_t on;
    char page[SESSION_PAGE]; /* whole pages are wiped: nothing else may live in this one */
} session_live __attribute__((visibility("hidden")));

/* Joins the session of the environment, once; without one the agent stays inert. */
void session_attach(void);
/* Turns tracing off for good; why, if not NULL, goes to stderr in one line.  False if it was off. */
bool session_off(const char *why);
/* Whether allocations go unrecorded. */
void session_pause(bool paused);
/* In a forked child: a stream of its own.  Called by the handler of pthread_atfork or, where
   fork was bypassed, by the first event. */
void session_forked(void);
/* Path of a file of the session; false if it is too long. */
bool session_path(char path[SESSION_PATH_MAX], const char *name);
/* A variable of the environment, NULL if it is not there. */
const char *session_variable(const char *name);
/* Grows while the collector does anything, however slowly. */
static inline uint64_t session_progress(void)
{
    return atomic_load(&session.control->clock_us) + atomic_load(&session.control->work);
}
/* From another PID namespace nobody can tell: then a collector that is gone is one that stands still. */
static inline bool session_collector_lives(void)
{
    return session.pid_space != session.control->pid_space ||
           sys_process_lives(session.control->collector_pid);
}
/* At the end of the program: says so if the collector died and nobody has noticed. */
void session_check_collector(void);

#endif
