/*
 * system and popen, interposed: the shell that they start is followed also where
 * this program's environment has nothing of ours (follow.h).  In the host.
 *
 * The C library starts it without asking anybody, with `environ`: that is another
 * one for so long.  Only while there is one thread, so that no other can see it or
 * change it; what a signal handler sees has our variables as well.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include "elfsym.h"
#include "follow.h"
#include "hooks.h"
#include "order.h"
#include "target.h"

#define EXPORT __attribute__((visibility("default")))
#define SHELL "/bin/sh"

EXPORT int system(const char *command);
EXPORT FILE *popen(const char *command, const char *mode);

static struct {
    int (*system)(const char *);
    FILE *(*popen)(const char *, const char *);
} next;

/* Not on the stack: a signal handler may jump out of system. */
static _Alignas(16) char room[16384];

void hooks_shell_resolve(void)
{
    next.system = (int (*)(const char *))elfsym_next("system");
    next.popen = (FILE * (*)(const char *, const char *)) elfsym_next("popen");
}

/* Whether the shell is to have another environment than this program. */
static bool is_other(struct follow *follow, bool leaves)
{
    return leaves ? follow_is_in(follow, environ)
                  : follow_wants(follow, environ, false) && target_loads(SHELL);
}

/* What `environ` was, while it is another one: NULL where the program has cleared it. */
struct lent {
    bool is_other;
    char **own;
};

static struct lent lend(void)
{
    struct follow follow;
    struct lent lent = {.own = environ};
    if (!next.system) {
        hooks_start();
    }
    bool leaves = follow_leaves(false);
    if (leaves && target_loads(SHELL)) {
        follow_note_leaving(SHELL);
    }
    lent.is_other = session.single && !order_needed() && is_other(&follow, leaves) &&
                    follow.room <= sizeof(room);
    if (lent.is_other) {
        environ = leaves ? follow_without(&follow, room) : follow_put(&follow, room);
    }
    return lent;
}

static void give_back(const struct lent *lent)
{
    if (lent->is_other) {
        environ = lent->own;
    }
}

int system(const char *command)
{
    struct lent lent = lend();
    int status = next.system(command);
    give_back(&lent);
    return status;
}

FILE *popen(const char *command, const char *mode)
{
    struct lent lent = lend();
    FILE *file = next.popen(command, mode);
    give_back(&lent);
    return file;
}
