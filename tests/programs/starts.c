/* Starts itself through every function that starts programs, each time with an environment that has
 * nothing of this one's; the children print theirs and keep a block of a known size.
 *
 *     starts          all of them
 *     starts static   a program, named after that, through execve
 *     starts limit    prints the most bytes of environment that a program can be started with
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

#define SELF "/proc/self/exe"
static char *const variables[] = {"A=1", "EMPTY=", "PATH=/bin:/usr/bin:.", NULL};
static char *const preloaded[] = {"A=1", "LD_PRELOAD=libdl.so.2", "B=2", NULL};
static char self[4096];

static int show(const char *size)
{
    char *volatile kept = malloc((size_t)atoi(size));
    kept[0] = 1;
    for (char **entry = environ; *entry; entry++) {
        printf(" %s", *entry);
    }
    printf("\n");
    return 0;
}

static int copy(FILE *in)
{
    char line[5000];
    while (fgets(line, sizeof(line), in)) {
        fputs(line, stdout);
    }
    fflush(stdout);
    return pclose(in);
}

static int start(int how, char *size)
{
    char *const argv[] = {"starts", "show", size, NULL};
    pid_t pid;
    switch (how) {
    case 0:
        return execve(SELF, argv, variables);
    case 1:
        return execvpe("starts", argv, variables);
    case 2:
        return execle(SELF, "starts", "show", size, (char *)NULL, variables);
    case 3:
        return fexecve(open(SELF, O_RDONLY), argv, variables);
    case 4:
        return posix_spawn(&pid, self, NULL, NULL, argv, variables) || waitpid(pid, NULL, 0) < 0;
    case 5:
        return posix_spawnp(&pid, "starts", NULL, NULL, argv, variables) ||
               waitpid(pid, NULL, 0) < 0;
    case 6:
        return execve(SELF, argv, preloaded);
    case 7:
        return execve(SELF, argv, NULL);
    }
    if (how == 14) {
        return execveat(open("/proc/self", O_RDONLY), "exe", argv, variables, 0);
    }
    environ = (char **)variables;
    char command[5000];
    snprintf(command, sizeof(command), "%s show %s", self, size);
    switch (how) {
    case 8:
        return execv(SELF, argv);
    case 9:
        return execvp("starts", argv);
    case 10:
        return execl(SELF, "starts", "show", size, (char *)NULL);
    case 11:
        return execlp("starts", "starts", "show", size, (char *)NULL);
    case 12:
        return system(command);
    case 13:
        return copy(popen(command, "r"));
    }
    return -1;
}

static void all(void)
{
    setenv("PATH", "/bin:/usr/bin:.", 1);
    setenv("LEFT_OUT", "1", 1);
    for (int how = 0; how < 15; how++) {
        char size[16];
        sprintf(size, "%d", 100000 + how);
        printf("%d", how);
        fflush(stdout);
        pid_t pid = fork();
        if (pid == 0) {
            _exit(start(how, size) != 0);
        }
        int status = 0;
        if (waitpid(pid, &status, 0) < 0 || status) {
            printf(" failed with status %d\n", status);
        }
    }
}

/* As vfork's child: the memory is the parent's. */
static int fits(char *const big[])
{
    char *const argv[] = {"true", NULL};
    volatile int error = 0;
    int status;
    pid_t pid = vfork();
    if (pid == 0) {
        execve("/bin/true", argv, big);
        error = errno;
        _exit(1);
    }
    waitpid(pid, &status, 0);
    return error == 0 ? status == 0 : error == E2BIG ? 0 : -1;
}

static void limit(void)
{
    struct rlimit stack = {1 << 20, 1 << 20};
    setrlimit(RLIMIT_STACK, &stack); /* a quarter of it is for the environment */
    char *big[4] = {malloc(100001), malloc(100001), malloc(100001), NULL};
    int least = 0, most = 300000;
    while (most - least > 1) {
        int middle = (least + most) / 2;
        for (int i = 0; i < 3; i++) {
            int size = middle - i * 100000;
            size = size < 0 ? 0 : size > 100000 ? 100000 : size;
            memset(big[i], 'x', (size_t)size);
            big[i][size] = 0;
        }
        *(fits(big) > 0 ? &least : &most) = middle;
    }
    printf("%d\n", least);
}

int main(int argc, char **argv)
{
    self[readlink(SELF, self, sizeof(self) - 1)] = 0;
    if (argc > 2 && strcmp(argv[1], "show") == 0) {
        return show(argv[2]);
    }
    if (argc > 2 && strcmp(argv[1], "static") == 0) {
        return execve(argv[2], argv + 2, variables);
    }
    if (argc > 1 && strcmp(argv[1], "limit") == 0) {
        limit();
    } else {
        all();
    }
    return 0;
}
