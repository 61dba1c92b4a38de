/*
 * Counts its own events in shared memory, around each: "begun" before the call,
 * "done" after.  Runs until it is killed.  Arguments: the file, the number of
 * threads, 1 for a storm of realloc.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define HELD 100

struct counts {                    /* of a thread: one line of the cache */
    volatile uint64_t begun, done; /* events */
    volatile uint64_t live;        /* blocks, when done was written */
    uint64_t padding[5];
};
static struct counts *counts;
static int resizes;

static void *run(void *number)
{
    struct counts *mine = &counts[(uintptr_t)number];
    void *held[HELD] = {0};
    for (uint32_t turn = (uint32_t)(uintptr_t)number;; turn++) {
        void **at = &held[turn * 7 % HELD];
        mine->begun++;
        if (*at && resizes) {
            *at = realloc(*at, turn * 37 % 3000 + 1);
        } else if (*at) {
            free(*at);
            *at = NULL;
            mine->live--;
        } else {
            *at = malloc(turn * 13 % 400 + 1);
            mine->live++;
        }
        mine->done++;
    }
    return NULL;
}

int main(int argc, char **argv)
{
    int fd = open(argv[1], O_RDWR), n = atoi(argv[2]);
    pthread_t threads[16];
    counts = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    resizes = argv[3][0] == '1';
    for (int i = 1; i < n; i++) {
        pthread_create(&threads[i], NULL, run, (void *)(uintptr_t)i);
    }
    run(0);
    return 0;
}
