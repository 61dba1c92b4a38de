/*
 * The session's variables in the environment of what the program starts.  A
 * program that is started with an environment of its own gets them all the same,
 * as it would get an inherited descriptor, and takes out again what its parent
 * has not given it.  In the host; what runs before an exec may be the child of a
 * vfork: it writes to nothing but its stack.
 */
#ifndef AGENT_FOLLOW_H
#define AGENT_FOLLOW_H

#include <stdbool.h>
#include <stddef.h>

/* An environment and what of ours is missing in it. */
struct follow {
    char *const *variables; /* NULL: none */
    size_t count, preload;  /* preload: index of LD_PRELOAD; count if there is none */
    size_t room;            /* bytes that follow_put needs */
    bool add_session, add_agent;
};

/* Takes out of the environment what was added to it; once, before anybody reads it.  Pointers to
   the values stay good. */
void follow_hide(void);
/* What is started from now on looks for no session. */
void follow_no_more(void);
/* What is started from now on joins the session in this directory. */
void follow_start(const char *directory);
/* True if this process has become another user's, or does not see the session or the agent, in
   another root or another mount namespace: what it starts cannot join the session. */
bool follow_leaves(bool is_exec);
/* False if it cannot load it, whether there is a session or not. */
bool follow_may_load(void);
/* Counts such a program; the first one is named on stderr. */
void follow_note_leaving(const char *name);
/* True if the program that will have this environment is to be followed and would not be with it
   alone.  `is_exec`: it takes the place of this one. */
bool follow_wants(struct follow *follow, char *const *variables, bool is_exec);
/* The environment with what is missing, in `room` and at least as long as that. */
char **follow_put(const struct follow *follow, void *room);
/* True if the agent is in this environment, from which follow_without takes it: a copy, in `room`. */
bool follow_is_in(struct follow *follow, char *const *variables);
char **follow_without(const struct follow *follow, void *room);

#endif
