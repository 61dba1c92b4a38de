/*
 * Starting the traced program: what to start, whether an agent can be in it,
 * and with which environment.  In `memtrace run`.
 */
#ifndef COLLECT_LAUNCH_H
#define COLLECT_LAUNCH_H

#include <stdbool.h>
#include <sys/types.h>

#define LAUNCH_PATH_MAX 4096

struct launch {
    char **argv;                   /* the program and its arguments, ended by NULL */
    char program[LAUNCH_PATH_MAX]; /* its file */
    const char *why_untraced;      /* why no agent can be in it; NULL if one can */
    pid_t pid;
    int go;     /* closed or written to: the child waits for it before exec */
    int failed; /* the child writes the errno of a failed exec here */
};

/* Finds the file of argv[0], in the PATH if it has no slash, and looks at what it is.  0, or the
   exit status for `run` (126: cannot be executed, 127: not there). */
int launch_find(struct launch *launch);
/* Path of the agent that belongs to this executable; false if there is none. */
bool launch_agent(char path[LAUNCH_PATH_MAX]);
/* Loads the agent into a process that does nothing else.  NULL if that works, else why not. */
const char *launch_probe(const char *agent);
/* In that process: the exit status. */
int launch_probed(void);
/* Forks; the child waits.  agent is NULL for a program that runs untraced. */
bool launch_fork(struct launch *launch, const char *agent, const char *session_directory);
/* Lets the child exec; 0 or the errno of its exec. */
int launch_go(struct launch *launch);
/* Ends the waiting child instead. */
void launch_cancel(struct launch *launch);

#endif
