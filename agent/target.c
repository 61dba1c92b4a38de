/*
 * What kind of program a file is (target.h).  In the host, on the stack of
 * whoever calls exec.
 */
#include "target.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "memtrace/needed.h"
#include "session.h"
#include "sys.h"

#define SCRIPT_DEPTH 4 /* of interpreters that are scripts: as many as the kernel follows */
#define HEAD_BYTES 256 /* the kernel reads no longer first line */
#define DEFAULT_PATH "/bin:/usr/bin"

union head {
    ElfW(Ehdr) elf;
    char text[HEAD_BYTES];
};

#if defined(__x86_64__)
#define OUR_MACHINE EM_X86_64
#else
#define OUR_MACHINE EM_AARCH64
#endif

static bool is_our_kind(const ElfW(Ehdr) * elf)
{
    return elf->e_ident[EI_CLASS] == ELFCLASS64 && elf->e_machine == OUR_MACHINE &&
           elf->e_phentsize == sizeof(ElfW(Phdr));
}

static bool has_slash(const char *name)
{
    while (*name && *name != '/') {
        name++;
    }
    return *name;
}

static bool is_musl(const char *loader)
{
    static const char mark[] = "ld-musl";
    for (; *loader; loader++) {
        if (strncmp(loader, mark, sizeof(mark) - 1) == 0) {
            return true;
        }
    }
    return false;
}

/* A program without a loader is a static one. */
static bool names_loader(int fd, const ElfW(Ehdr) * elf)
{
    for (unsigned i = 0; i < elf->e_phnum; i++) {
        ElfW(Phdr) segment;
        char loader[64] = "";
        size_t at = elf->e_phoff + i * sizeof(segment);
        if (sys_read_at(fd, &segment, sizeof(segment), at) != sizeof(segment)) {
            return false;
        }
        if (segment.p_type == PT_INTERP) {
            sys_read_at(fd, loader, sizeof(loader) - 1, segment.p_offset);
            return !is_musl(loader);
        }
    }
    return false;
}

/* Ends the interpreter's name that follows "#!"; NULL if there is none. */
static const char *interpreter_of(char *line)
{
    char *name = line + 2;
    while (*name == ' ' || *name == '\t') {
        name++;
    }
    char *end = name;
    while (*end && *end != ' ' && *end != '\t' && *end != '\n') {
        end++;
    }
    *end = 0;
    return *name ? name : NULL;
}

static bool is_privileged(const struct stat *status)
{
    return status->st_mode & (S_ISUID | S_ISGID) && sys_effective_user() != 0;
}

/* 1 or 0; -1: it is a script, whose interpreter is now in `head`.  What is neither is given to a
   shell, by execvp or by who called. */
static int look_at(const char *path, union head *head, const char **interpreter)
{
    struct stat status;
    int answer = 1;
    if (!sys_status(path, &status) || !S_ISREG(status.st_mode) || is_privileged(&status)) {
        return 0;
    }
    long fd = sys_open(path, O_RDONLY, 0);
    if (fd < 0) {
        return fd == -EACCES;
    }
    *head = (union head){0};
    long size = sys_read_at((int)fd, head->text, sizeof(head->text) - 1, 0);
    if (size > (long)sizeof(head->elf) && memcmp(head->text, ELFMAG, SELFMAG) == 0) {
        answer = is_our_kind(&head->elf) && names_loader((int)fd, &head->elf) &&
                 !needed_insists(sys_read_at, (int)fd, &head->elf);
    } else if (size > 2 && memcmp(head->text, "#!", 2) == 0) {
        *interpreter = interpreter_of(head->text);
        answer = *interpreter ? -1 : 0;
    }
    sys_close((int)fd);
    return answer;
}

bool target_loads(const char *path)
{
    union head heads[2]; /* a name lies in the one that was read before */
    int answer = -1;
    for (unsigned i = 0; i <= SCRIPT_DEPTH && answer < 0; i++) {
        answer = look_at(path, &heads[i % 2], &path);
    }
    return answer > 0;
}

bool target_refuses(const char *path)
{
    union head head = {0};
    long fd = sys_open(path, O_RDONLY | O_NONBLOCK, 0);
    if (fd < 0) {
        return false;
    }
    long size = sys_read_at((int)fd, head.text, sizeof(head.elf), 0);
    bool refuses = size == (long)sizeof(head.elf) && memcmp(head.text, ELFMAG, SELFMAG) == 0 &&
                   is_our_kind(&head.elf) && needed_insists(sys_read_at, (int)fd, &head.elf);
    sys_close((int)fd);
    return refuses;
}

/* Of what execvp would find. */
static bool ask_of_path(const char *file, bool (*ask)(const char *path))
{
    const char *path = session_variable("PATH");
    size_t file_length = strlen(file);
    if (has_slash(file)) {
        return ask(file);
    }
    char candidate[SESSION_PATH_MAX];
    for (path = path ? path : DEFAULT_PATH;; path++) {
        size_t length = 0;
        while (path[length] && path[length] != ':') {
            length++;
        }
        if (length + 1 + file_length < sizeof(candidate)) {
            memcpy(candidate, path, length);
            candidate[length] = '/';
            memcpy(candidate + length + (length > 0), file, file_length + 1);
            if (sys_may(candidate, X_OK)) {
                return ask(candidate);
            }
        }
        path += length;
        if (!*path) {
            return false;
        }
    }
}

bool target_of_path_loads(const char *file)
{
    return ask_of_path(file, target_loads);
}

bool target_of_path_refuses(const char *file)
{
    return ask_of_path(file, target_refuses);
}

bool target_of_descriptor_loads(int fd)
{
    return fd >= 0 && target_at_loads(fd, "");
}

bool target_at_loads(int directory, const char *path)
{
    char whole[SESSION_PATH_MAX] = "/proc/self/fd/";
    if (path[0] == '/' || directory == AT_FDCWD) {
        return target_loads(path);
    }
    size_t used = strlen(whole), length = strlen(path);
    used += directory >= 0 ? sys_decimal(whole + used, (uint64_t)directory) : 0;
    if (directory < 0 || used + length + 2 > sizeof(whole)) {
        return false;
    }
    if (length) {
        whole[used++] = '/';
        memcpy(whole + used, path, length + 1);
    }
    return target_loads(whole);
}
