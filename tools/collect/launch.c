/*
 * Finding, checking and starting programs (launch.h).  In `memtrace run`,
 * before anything is traced.
 */
#include "collect/launch.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "collect/supervise.h"
#include "memtrace/ring.h"
#include "memtrace/needed.h"

#define SCRIPT_DEPTH 4

/* ---- what the program is ---- */

static bool find_in_path(const char *name, char *out)
{
    const char *path = getenv("PATH");
    path = path ? path : "/usr/local/bin:/usr/bin:/bin";
    bool there = false;
    while (*path) {
        size_t length = strcspn(path, ":");
        char candidate[LAUNCH_PATH_MAX];
        struct stat status;
        snprintf(
            candidate, sizeof(candidate), "%.*s%s%s", (int)length, path, length ? "/" : "", name);
        if (stat(candidate, &status) == 0 && S_ISREG(status.st_mode)) {
            bool executable = access(candidate, X_OK) == 0;
            if (executable || !there) {
                snprintf(out, LAUNCH_PATH_MAX, "%s", candidate);
            }
            there = true;
            if (executable) {
                return true;
            }
        }
        path += length + (path[length] == ':');
    }
    return there;
}

static long read_at(int fd, void *out, size_t size, size_t at)
{
    return pread(fd, out, size, (off_t)at);
}

static const char *why_not_elf(int fd, const unsigned char *head, ssize_t size)
{
    const Elf64_Ehdr *elf = (const Elf64_Ehdr *)head;
    if (head[EI_CLASS] != ELFCLASS64) {
        return "is a 32-bit program";
    }
    if ((size_t)size < sizeof(*elf) || elf->e_phentsize != sizeof(Elf64_Phdr)) {
        return NULL;
    }
    for (unsigned i = 0; i < elf->e_phnum; i++) {
        Elf64_Phdr segment;
        off_t at = (off_t)(elf->e_phoff + i * sizeof(segment));
        if (pread(fd, &segment, sizeof(segment), at) != sizeof(segment)) {
            return NULL;
        }
        if (segment.p_type == PT_INTERP) {
            char loader[64] = "";
            if (pread(fd, loader, sizeof(loader) - 1, (off_t)segment.p_offset) > 0 &&
                strstr(loader, "ld-musl")) {
                return "uses the musl C library, which memtrace does not know";
            }
            return needed_insists(read_at, fd, elf)
                       ? "is linked to a sanitizer, which must be the first "
                         "library of a program"
                       : NULL;
        }
    }
    return "is statically linked";
}

/* The interpreter of a script, the program of `env`. */
static bool interpreter_of(const char *head, char *out)
{
    char line[256], *save = NULL;
    snprintf(line, sizeof(line), "%s", head + 2);
    line[strcspn(line, "\n")] = 0;
    char *word = strtok_r(line, " \t", &save);
    const char *base = word ? strrchr(word, '/') : NULL;
    if (base && strcmp(base, "/env") == 0) {
        word = strtok_r(NULL, " \t", &save);
        return word && word[0] != '-' && find_in_path(word, out);
    }
    if (word) {
        snprintf(out, LAUNCH_PATH_MAX, "%s", word);
    }
    return word != NULL;
}

static const char *why_untraced(const char *path, int depth)
{
    union {
        Elf64_Ehdr elf;
        char text[256];
    } head = {0};
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return NULL;
    }
    const char *why = NULL;
    ssize_t size = read(fd, &head, sizeof(head) - 1);
    if (fstat(fd, &status) == 0 && status.st_mode & (S_ISUID | S_ISGID) && geteuid() != 0) {
        why = "changes its user, so that the loader ignores the agent";
    } else if (size > EI_NIDENT && memcmp(&head, ELFMAG, SELFMAG) == 0) {
        why = why_not_elf(fd, (const unsigned char *)&head, size);
    } else if (size > 2 && memcmp(head.text, "#!", 2) == 0 && depth < SCRIPT_DEPTH) {
        char interpreter[LAUNCH_PATH_MAX];
        why = interpreter_of(head.text, interpreter) ? why_untraced(interpreter, depth + 1) : NULL;
    }
    close(fd);
    return why;
}

int launch_find(struct launch *launch)
{
    const char *name = launch->argv[0];
    struct stat status;
    if (strchr(name, '/')) {
        snprintf(launch->program, sizeof(launch->program), "%s", name);
    } else if (!find_in_path(name, launch->program)) {
        fprintf(stderr, "memtrace: %s: not found in the PATH\n", name);
        return 127;
    }
    if (stat(launch->program, &status) != 0) {
        fprintf(stderr, "memtrace: %s: %s\n", launch->program, strerror(errno));
        return errno == ENOENT || errno == ENOTDIR ? 127 : 126;
    }
    if (S_ISDIR(status.st_mode)) {
        fprintf(stderr,
            "memtrace: %s: is a directory without __main__.py; name a script or a program\n", name);
        return 126;
    }
    if (access(launch->program, X_OK) != 0) {
        fprintf(stderr,
            "memtrace: %s: is not executable; make it so (chmod +x), or name its interpreter\n",
            launch->program);
        return 126;
    }
    launch->why_untraced = why_untraced(launch->program, 0);
    return 0;
}

/* ---- the agent ---- */

bool launch_agent(char path[LAUNCH_PATH_MAX])
{
    static const char *const places[] = {"agent/libmemtrace.so", MEMTRACE_AGENT_RELATIVE};
    char self[LAUNCH_PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
    self[length > 0 ? length : 0] = 0;
    char *slash = strrchr(self, '/');
    for (size_t i = 0; slash && i < sizeof(places) / sizeof(*places); i++) {
        *slash = 0;
        snprintf(path, LAUNCH_PATH_MAX, "%.2000s/%s", self, places[i]);
        if (access(path, R_OK) == 0) {
            return true;
        }
    }
    snprintf(path, LAUNCH_PATH_MAX, "%s", MEMTRACE_AGENT_INSTALLED);
    return access(path, R_OK) == 0;
}

int launch_probed(void)
{
    const uint32_t *version = dlsym(RTLD_DEFAULT, "memtrace_agent_version");
    if (!version) {
        return 1;
    }
    return *version == MT_RING_VERSION ? 0 : 2;
}

static const char *read_complaint(int fd)
{
    static char text[512];
    size_t size = 0;
    ssize_t got;
    while (size < sizeof(text) - 1 && (got = read(fd, text + size, sizeof(text) - 1 - size)) > 0) {
        size += (size_t)got;
    }
    text[size] = 0;
    text[strcspn(text, "\n")] = 0;
    return size ? text : "the loader did not load it and does not say why";
}

const char *launch_probe(const char *agent)
{
    int ends[2], status;
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return strerror(errno);
    }
    pid_t pid = fork();
    if (pid == 0) {
        dup2(ends[1], 2);
        unsetenv("LD_DEBUG"); /* what the loader says of itself is no complaint */
        setenv("LD_PRELOAD", agent, 1);
        setenv(MT_SESSION_ENV, "", 1); /* of no session, also where this one is traced itself */
        execl("/proc/self/exe", "memtrace", "run", "--probe-agent", (char *)NULL);
        _exit(3);
    }
    close(ends[1]);
    const char *complaint = pid < 0 ? strerror(errno) : read_complaint(ends[0]);
    close(ends[0]);
    if (pid < 0 || waitpid(pid, &status, 0) < 0) {
        return complaint;
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        return NULL;
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 2
               ? "it is of another version than this program; install both again"
               : complaint;
}

/* ---- starting ---- */

/* The loader splits LD_PRELOAD at spaces and colons: such a path goes by a link. */
static const char *loadable(const char *agent, const char *directory, char *link)
{
    if (!strpbrk(agent, " :")) {
        return agent;
    }
    snprintf(link, LAUNCH_PATH_MAX, "%s/agent.so", directory);
    return symlink(agent, link) == 0 || errno == EEXIST ? link : agent;
}

/* Whether one of what is preloaded stops the program unless it is the first. */
static bool is_insistent(const char *preloaded)
{
    bool found = false;
    for (size_t i = 0; i < NEEDED_INSISTENT; i++) {
        found |= strstr(preloaded, needed_insistent[i]) != NULL;
    }
    return found;
}

static void set_environment(const char *agent, const char *directory)
{
    char link[LAUNCH_PATH_MAX], *all = NULL;
    const char *before = getenv("LD_PRELOAD");
    before = before ? before : "";
    const char *between = *before ? ":" : "";
    agent = loadable(agent, directory, link);
    bool is_second = is_insistent(before);
    if (asprintf(&all, "%s%s%s", is_second ? before : agent, between, is_second ? agent : before) >
        0) {
        setenv("LD_PRELOAD", all, 1);
        setenv(MT_SESSION_ENV, directory, 1);
    }
    free(all);
}

static void become(struct launch *launch, int go, const char *agent, const char *directory)
{
    char byte;
    if (read(go, &byte, 1) != 1) {
        _exit(125);
    }
    if (agent) {
        set_environment(agent, directory);
    }
    supervise_restore();
    execv(launch->program, launch->argv);
    int error = errno;
    if (error == ENOEXEC) { /* a script without a first line: what a shell would do */
        execl("/bin/sh", "sh", launch->program, (char *)NULL);
    }
    if (write(launch->failed, &error, sizeof(error)) < 0) {
        _exit(125);
    }
    _exit(126);
}

bool launch_fork(struct launch *launch, const char *agent, const char *session_directory)
{
    int go[2], failed[2];
    if (pipe2(go, O_CLOEXEC) != 0 || pipe2(failed, O_CLOEXEC) != 0) {
        return false;
    }
    launch->pid = fork();
    if (launch->pid == 0) {
        close(go[1]);
        launch->failed = failed[1];
        become(launch, go[0], agent, session_directory);
    }
    close(go[0]);
    close(failed[1]);
    launch->go = go[1];
    launch->failed = failed[0];
    return launch->pid > 0;
}

int launch_go(struct launch *launch)
{
    int error = 0;
    if (write(launch->go, "!", 1) != 1) {
        error = errno;
    }
    close(launch->go);
    if (read(launch->failed, &error, sizeof(error)) < 0) {
        error = errno;
    }
    close(launch->failed);
    return error;
}

void launch_cancel(struct launch *launch)
{
    close(launch->go);
    close(launch->failed);
    waitpid(launch->pid, NULL, 0);
}
