/*
 * exec and posix_spawn, interposed: what the program starts is followed also
 * where it starts it with an environment of its own (follow.h).  In the host,
 * perhaps in the child of a vfork or in a signal handler: nothing is written but
 * the stack.
 *
 * The environment with our variables is tried first.  If that is too much for the
 * kernel, what the program asked for is done as it asked for it.
 */
#include <errno.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include "elfsym.h"
#include "follow.h"
#include "hooks.h"
#include "sys.h"
#include "target.h"

#define EXPORT __attribute__((visibility("default")))

EXPORT int execve(const char *, char *const[], char *const[]);
EXPORT int execv(const char *, char *const[]);
EXPORT int execvp(const char *, char *const[]);
EXPORT int execvpe(const char *, char *const[], char *const[]);
EXPORT int execl(const char *, const char *, ...);
EXPORT int execle(const char *, const char *, ...);
EXPORT int execlp(const char *, const char *, ...);
EXPORT int fexecve(int, char *const[], char *const[]);
EXPORT int execveat(int, const char *, char *const[], char *const[], int);
EXPORT int posix_spawn(pid_t *, const char *, const posix_spawn_file_actions_t *,
    const posix_spawnattr_t *, char *const[], char *const[]);
EXPORT int posix_spawnp(pid_t *, const char *, const posix_spawn_file_actions_t *,
    const posix_spawnattr_t *, char *const[], char *const[]);

typedef int spawner(pid_t *, const char *, const posix_spawn_file_actions_t *,
    const posix_spawnattr_t *, char *const[], char *const[]);

static struct {
    int (*execve)(const char *, char *const[], char *const[]);
    int (*execv)(const char *, char *const[]);
    int (*execvp)(const char *, char *const[]);
    int (*execvpe)(const char *, char *const[], char *const[]);
    int (*fexecve)(int, char *const[], char *const[]);
    int (*execveat)(int, const char *, char *const[], char *const[], int);
    spawner *posix_spawn, *posix_spawnp;
} next;

void hooks_exec_resolve(void)
{
    next.execv = (int (*)(const char *, char *const[]))elfsym_next("execv");
    next.execvp = (int (*)(const char *, char *const[]))elfsym_next("execvp");
    next.execvpe = (int (*)(const char *, char *const[], char *const[]))elfsym_next("execvpe");
    next.fexecve = (int (*)(int, char *const[], char *const[]))elfsym_next("fexecve");
    next.execveat = (int (*)(int, const char *, char *const[], char *const[], int))elfsym_next(
        "execveat");
    next.posix_spawn = (spawner *)elfsym_next("posix_spawn");
    next.posix_spawnp = (spawner *)elfsym_next("posix_spawnp");
    next.execve = (int (*)(const char *, char *const[], char *const[]))elfsym_next("execve");
}

static inline void set_up(void)
{
    if (__builtin_expect(!next.execve, 0)) {
        hooks_start();
    }
}

/* ---- exec ---- */

static int exec_path(const char *path, char *const argv[], char *const variables[])
{
    struct follow follow;
    if (follow_is_in(&follow, variables) && target_refuses(path)) {
        return next.execve(path, argv, follow_without(&follow, __builtin_alloca(follow.room)));
    }
    if (!follow_wants(&follow, variables, true) || !target_loads(path)) {
        return next.execve(path, argv, variables);
    }
    next.execve(path, argv, follow_put(&follow, __builtin_alloca(follow.room)));
    return errno == E2BIG ? next.execve(path, argv, variables) : -1;
}

static int exec_file(const char *file, char *const argv[], char *const variables[])
{
    struct follow follow;
    if (follow_is_in(&follow, variables) && target_of_path_refuses(file)) {
        return next.execvpe(file, argv, follow_without(&follow, __builtin_alloca(follow.room)));
    }
    if (!follow_wants(&follow, variables, true) || !target_of_path_loads(file)) {
        return next.execvpe(file, argv, variables);
    }
    next.execvpe(file, argv, follow_put(&follow, __builtin_alloca(follow.room)));
    return errno == E2BIG ? next.execvpe(file, argv, variables) : -1;
}

int execve(const char *path, char *const argv[], char *const variables[])
{
    set_up();
    return exec_path(path, argv, variables);
}

int execvpe(const char *file, char *const argv[], char *const variables[])
{
    set_up();
    return exec_file(file, argv, variables);
}

int fexecve(int fd, char *const argv[], char *const variables[])
{
    struct follow follow;
    set_up();
    if (!follow_wants(&follow, variables, true) || !target_of_descriptor_loads(fd)) {
        return next.fexecve(fd, argv, variables);
    }
    next.fexecve(fd, argv, follow_put(&follow, __builtin_alloca(follow.room)));
    return errno == E2BIG ? next.fexecve(fd, argv, variables) : -1;
}

/* Without one of the C library's, which is of 2.34, there is the kernel's. */
static int exec_at(
    int directory, const char *path, char *const argv[], char *const variables[], int flags)
{
    if (next.execveat) {
        return next.execveat(directory, path, argv, variables, flags);
    }
    errno = (int)-sys_exec_at(directory, path, argv, variables, flags);
    return -1;
}

int execveat(int directory, const char *path, char *const argv[], char *const variables[], int flags)
{
    struct follow follow;
    set_up();
    if (!follow_wants(&follow, variables, true) || !target_at_loads(directory, path)) {
        return exec_at(directory, path, argv, variables, flags);
    }
    exec_at(directory, path, argv, follow_put(&follow, __builtin_alloca(follow.room)), flags);
    return errno == E2BIG ? exec_at(directory, path, argv, variables, flags) : -1;
}

/* With the environment of this program, which mostly has all that is needed. */
static int exec_path_here(const char *path, char *const argv[])
{
    struct follow follow;
    bool is_plain = !follow_wants(&follow, environ, true) &&
                    !(follow_is_in(&follow, environ) && target_refuses(path));
    return is_plain ? next.execv(path, argv) : exec_path(path, argv, environ);
}

static int exec_file_here(const char *file, char *const argv[])
{
    struct follow follow;
    bool is_plain = !follow_wants(&follow, environ, true) &&
                    !(follow_is_in(&follow, environ) && target_of_path_refuses(file));
    return is_plain ? next.execvp(file, argv) : exec_file(file, argv, environ);
}

int execv(const char *path, char *const argv[])
{
    set_up();
    return exec_path_here(path, argv);
}

int execvp(const char *file, char *const argv[])
{
    set_up();
    return exec_file_here(file, argv);
}

/* ---- the same with the arguments one by one ---- */

static size_t count_words(const char *first, va_list *more)
{
    size_t n = 0;
    for (const char *word = first; word; word = va_arg(*more, const char *)) {
        n++;
    }
    return n;
}

static char **take_words(char **out, const char *first, va_list *more)
{
    size_t n = 0;
    for (const char *word = first; word; word = va_arg(*more, const char *)) {
        out[n++] = (char *)word;
    }
    out[n] = NULL;
    return out;
}

int execl(const char *path, const char *first, ...)
{
    va_list more;
    va_start(more, first);
    size_t n = count_words(first, &more);
    va_end(more);
    va_start(more, first);
    char **argv = take_words(__builtin_alloca((n + 1) * sizeof(char *)), first, &more);
    va_end(more);
    set_up();
    return exec_path_here(path, argv);
}

int execlp(const char *file, const char *first, ...)
{
    va_list more;
    va_start(more, first);
    size_t n = count_words(first, &more);
    va_end(more);
    va_start(more, first);
    char **argv = take_words(__builtin_alloca((n + 1) * sizeof(char *)), first, &more);
    va_end(more);
    set_up();
    return exec_file_here(file, argv);
}

int execle(const char *path, const char *first, ...)
{
    va_list more;
    va_start(more, first);
    size_t n = count_words(first, &more);
    va_end(more);
    va_start(more, first);
    char **argv = take_words(__builtin_alloca((n + 1) * sizeof(char *)), first, &more);
    char *const *variables = va_arg(more, char *const *);
    va_end(more);
    set_up();
    return exec_path(path, argv, variables);
}

/* ---- posix_spawn ---- */

int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
    const posix_spawnattr_t *attributes, char *const argv[], char *const variables[])
{
    struct follow follow;
    set_up();
    if (follow_is_in(&follow, variables) && target_refuses(path)) {
        return next.posix_spawn(pid, path, actions, attributes, argv,
            follow_without(&follow, __builtin_alloca(follow.room)));
    }
    if (!follow_wants(&follow, variables, false) || !target_loads(path)) {
        return next.posix_spawn(pid, path, actions, attributes, argv, variables);
    }
    char **more = follow_put(&follow, __builtin_alloca(follow.room));
    int error = next.posix_spawn(pid, path, actions, attributes, argv, more);
    return error == E2BIG ? next.posix_spawn(pid, path, actions, attributes, argv, variables)
                          : error;
}

int posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions,
    const posix_spawnattr_t *attributes, char *const argv[], char *const variables[])
{
    struct follow follow;
    set_up();
    if (follow_is_in(&follow, variables) && target_of_path_refuses(file)) {
        return next.posix_spawnp(pid, file, actions, attributes, argv,
            follow_without(&follow, __builtin_alloca(follow.room)));
    }
    if (!follow_wants(&follow, variables, false) || !target_of_path_loads(file)) {
        return next.posix_spawnp(pid, file, actions, attributes, argv, variables);
    }
    char **more = follow_put(&follow, __builtin_alloca(follow.room));
    int error = next.posix_spawnp(pid, file, actions, attributes, argv, more);
    return error == E2BIG ? next.posix_spawnp(pid, file, actions, attributes, argv, variables)
                          : error;
}
