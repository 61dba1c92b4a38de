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
#include <stdbool.h>
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

typedef int executor(const char *, char *const[], char *const[]);
typedef int spawner(pid_t *, const char *, const posix_spawn_file_actions_t *,
    const posix_spawnattr_t *, char *const[], char *const[]);

static struct {
    executor *execve, *execvpe;
    int (*execv)(const char *, char *const[]);
    int (*execvp)(const char *, char *const[]);
    int (*fexecve)(int, char *const[], char *const[]);
    int (*execveat)(int, const char *, char *const[], char *const[], int);
    spawner *posix_spawn, *posix_spawnp;
} next;

void hooks_exec_resolve(void)
{
    next.execv = (int (*)(const char *, char *const[]))elfsym_next("execv");
    next.execvp = (int (*)(const char *, char *const[]))elfsym_next("execvp");
    next.execvpe = (executor *)elfsym_next("execvpe");
    next.fexecve = (int (*)(int, char *const[], char *const[]))elfsym_next("fexecve");
    next.execveat =
        (int (*)(int, const char *, char *const[], char *const[], int))elfsym_next("execveat");
    next.posix_spawn = (spawner *)elfsym_next("posix_spawn");
    next.posix_spawnp = (spawner *)elfsym_next("posix_spawnp");
    next.execve = (executor *)elfsym_next("execve");
}

static inline void set_up(void)
{
    if (__builtin_expect(!next.execve, 0)) {
        hooks_start();
    }
}

/* ---- what is started, and how ---- */

struct target {
    enum {
        AT_PATH,
        OF_PATH,
        AT_DIRECTORY
    } kind; /* a path; a name, looked for in PATH; execveat's */
    const char *name;
    int directory;
};

static bool loads(const struct target *target)
{
    return target->kind == AT_PATH   ? target_loads(target->name)
           : target->kind == OF_PATH ? target_of_path_loads(target->name)
                                     : target_at_loads(target->directory, target->name);
}

static bool refuses(const struct target *target)
{
    return target->kind == AT_PATH
               ? target_refuses(target->name)
               : target->kind == OF_PATH && target_of_path_refuses(target->name);
}

enum way { AS_IT_IS, WITH_OURS, WITHOUT_AGENT };

static enum way way_of(
    const struct target *target, struct follow *follow, char *const *variables, bool is_exec)
{
    bool is_in = follow_is_in(follow, variables);
    if (follow_leaves(is_exec)) {
        if (loads(target)) {
            follow_note_leaving(target->name);
        }
        return is_in ? WITHOUT_AGENT : AS_IT_IS;
    }
    if (is_in && (!follow_may_load() || refuses(target))) {
        return WITHOUT_AGENT;
    }
    return follow_wants(follow, variables, is_exec) && loads(target) ? WITH_OURS : AS_IT_IS;
}

/* ---- exec ---- */

static int exec_as(enum way way, const struct follow *follow, executor *call, const char *path,
    char *const argv[], char *const variables[])
{
    if (way == WITHOUT_AGENT) {
        return call(path, argv, follow_without(follow, __builtin_alloca(follow->room)));
    }
    if (way == WITH_OURS) {
        call(path, argv, follow_put(follow, __builtin_alloca(follow->room)));
        if (errno != E2BIG) {
            return -1;
        }
    }
    return call(path, argv, variables);
}

static int exec_path(const char *path, char *const argv[], char *const variables[])
{
    struct follow follow;
    struct target target = {AT_PATH, path, 0};
    enum way way = way_of(&target, &follow, variables, true);
    return exec_as(way, &follow, next.execve, path, argv, variables);
}

int execve(const char *path, char *const argv[], char *const variables[])
{
    set_up();
    return exec_path(path, argv, variables);
}

int execvpe(const char *file, char *const argv[], char *const variables[])
{
    struct follow follow;
    struct target target = {OF_PATH, file, 0};
    set_up();
    enum way way = way_of(&target, &follow, variables, true);
    return exec_as(way, &follow, next.execvpe, file, argv, variables);
}

int fexecve(int fd, char *const argv[], char *const variables[])
{
    struct follow follow;
    struct target target = {AT_DIRECTORY, "", fd};
    set_up();
    enum way way = fd < 0 ? AS_IT_IS : way_of(&target, &follow, variables, true);
    if (way == WITHOUT_AGENT) {
        return next.fexecve(fd, argv, follow_without(&follow, __builtin_alloca(follow.room)));
    }
    if (way == WITH_OURS) {
        next.fexecve(fd, argv, follow_put(&follow, __builtin_alloca(follow.room)));
        if (errno != E2BIG) {
            return -1;
        }
    }
    return next.fexecve(fd, argv, variables);
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

int execveat(
    int directory, const char *path, char *const argv[], char *const variables[], int flags)
{
    struct follow follow;
    struct target target = {AT_DIRECTORY, path, directory};
    set_up();
    enum way way = way_of(&target, &follow, variables, true);
    if (way == WITHOUT_AGENT) {
        char **rest = follow_without(&follow, __builtin_alloca(follow.room));
        return exec_at(directory, path, argv, rest, flags);
    }
    if (way == WITH_OURS) {
        char **more = follow_put(&follow, __builtin_alloca(follow.room));
        exec_at(directory, path, argv, more, flags);
        if (errno != E2BIG) {
            return -1;
        }
    }
    return exec_at(directory, path, argv, variables, flags);
}

/* With the environment of this program, which mostly has all that is needed. */
static int exec_path_here(const char *path, char *const argv[])
{
    struct follow follow;
    struct target target = {AT_PATH, path, 0};
    enum way way = way_of(&target, &follow, environ, true);
    return way == AS_IT_IS ? next.execv(path, argv)
                           : exec_as(way, &follow, next.execve, path, argv, environ);
}

static int exec_file_here(const char *file, char *const argv[])
{
    struct follow follow;
    struct target target = {OF_PATH, file, 0};
    enum way way = way_of(&target, &follow, environ, true);
    return way == AS_IT_IS ? next.execvp(file, argv)
                           : exec_as(way, &follow, next.execvpe, file, argv, environ);
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

static int spawn_as(const struct target *target, spawner *call, pid_t *pid,
    const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attributes,
    char *const argv[], char *const variables[])
{
    struct follow follow;
    const char *name = target->name;
    enum way way = way_of(target, &follow, variables, false);
    if (way == WITHOUT_AGENT) {
        char **rest = follow_without(&follow, __builtin_alloca(follow.room));
        return call(pid, name, actions, attributes, argv, rest);
    }
    if (way == WITH_OURS) {
        char **more = follow_put(&follow, __builtin_alloca(follow.room));
        int error = call(pid, name, actions, attributes, argv, more);
        if (error != E2BIG) {
            return error;
        }
    }
    return call(pid, name, actions, attributes, argv, variables);
}

int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
    const posix_spawnattr_t *attributes, char *const argv[], char *const variables[])
{
    struct target target = {AT_PATH, path, 0};
    set_up();
    return spawn_as(&target, next.posix_spawn, pid, actions, attributes, argv, variables);
}

int posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions,
    const posix_spawnattr_t *attributes, char *const argv[], char *const variables[])
{
    struct target target = {OF_PATH, file, 0};
    set_up();
    return spawn_as(&target, next.posix_spawnp, pid, actions, attributes, argv, variables);
}
