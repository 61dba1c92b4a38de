/* Forks where nothing is allocated between a mark and the fork, while other threads allocate and
 * free.  The child frees every other one of its parent's blocks, then forks too; its parent frees
 * all of them meanwhile. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "memtrace/memtrace.h"

#define BLOCKS 1000
#define THREADS 3

static char *blocks[BLOCKS];
static volatile int stop;

static void *storm(void *unused)
{
    char *mine[64] = {0};
    for (unsigned i = 0; !stop; i++) {
        free(mine[i % 64]);
        mine[i % 64] = malloc(100 + i % 1000);
    }
    for (int i = 0; i < 64; i++) {
        free(mine[i]);
    }
    return unused;
}

static void free_some(int first, int step)
{
    for (int i = first; i < BLOCKS; i += step) {
        free(blocks[i]);
        blocks[i] = NULL;
    }
}

static void child(void)
{
    free_some(0, 2);
    pid_t pid = fork();
    if (pid == 0) {
        free_some(1, 2);
        _exit(0);
    }
    waitpid(pid, NULL, 0);
    _exit(0);
}

int main(int argc, char **argv)
{
    int n_threads = argc > 1 ? THREADS : 0;
    pthread_t threads[THREADS];
    for (int i = 0; i < n_threads; i++) {
        pthread_create(&threads[i], NULL, storm, NULL);
    }
    for (int round = 0; round < 8; round++) {
        for (int i = 0; i < BLOCKS; i++) {
            blocks[i] = malloc(1000 + (size_t)i);
        }
        memtrace_mark("fork");
        pid_t pid = fork();
        if (pid == 0) {
            child();
        }
        free_some(0, 1);
        waitpid(pid, NULL, 0);
    }
    stop = 1;
    for (int i = 0; i < n_threads; i++) {
        pthread_join(threads[i], NULL);
    }
    return 0;
}
