/*
 * Allocates without end while a signal handler does the same, and says what it
 * holds at last: "signals bytes blocks".  As a program, with seconds and the
 * number of threads that send signals as arguments; as a library, between
 * signals_start and signals_stop.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

#define HELD 64

struct table {
    void *blocks[HELD];
    size_t sizes[HELD];
    uint32_t turn;
};
static struct table handlers, mains;
static _Atomic uint64_t signals;
static _Atomic int stopped;

/* One step: a block is given back, resized or made. */
static void work(struct table *table)
{
    uint32_t turn = table->turn++, i = turn * 7 % HELD;
    size_t size = turn * 13 % 200 + 1;
    if (table->blocks[i] && turn % 3 == 0) {
        table->blocks[i] = realloc(table->blocks[i], size);
    } else {
        free(table->blocks[i]);
        table->blocks[i] = turn % 2 ? malloc(size) : calloc(1, size);
    }
    table->sizes[i] = size;
}

static void handle(int number)
{
    atomic_fetch_add(&signals, 1);
    for (int i = 0; i < 5; i++) {
        work(&handlers);
    }
}

void signals_start(int interval_us);
void signals_start(int interval_us)
{
    struct sigaction action = {.sa_handler = handle, .sa_flags = SA_RESTART};
    struct itimerval interval = {{0, interval_us}, {0, interval_us}};
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &interval, NULL);
}

void signals_stop(uint64_t out[3]);
void signals_stop(uint64_t out[3])
{
    struct itimerval none = {{0, 0}, {0, 0}};
    setitimer(ITIMER_REAL, &none, NULL);
    signal(SIGALRM, SIG_IGN);
    out[0] = signals;
    for (int i = 0; i < HELD; i++) {
        out[1] += (handlers.blocks[i] ? handlers.sizes[i] : 0);
        out[1] += (mains.blocks[i] ? mains.sizes[i] : 0);
        out[2] += (handlers.blocks[i] != NULL) + (mains.blocks[i] != NULL);
    }
}

static void *send(void *main_thread)
{
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL); /* the handler runs in the main thread alone */
    while (!stopped) {
        uint32_t turn = *(volatile uint32_t *)&mains.turn;
        pthread_kill(*(pthread_t *)main_thread, SIGALRM);
        while (!stopped && *(volatile uint32_t *)&mains.turn == turn) {
            /* A storm without a pause would never let the interrupted call end. */
        }
    }
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t self = pthread_self(), senders[8];
    int seconds = atoi(argv[1]), n = atoi(argv[2]);
    uint64_t out[3] = {0};
    char line[100];
    time_t end = time(NULL) + seconds;
    signals_start(n ? 1000 : 50);
    for (int i = 0; i < n; i++) {
        pthread_create(&senders[i], NULL, send, &self);
    }
    while (seconds && time(NULL) < end) {
        for (int i = 0; i < 1000; i++) {
            work(&mains);
        }
    }
    stopped = 1;
    for (int i = 0; i < n; i++) {
        pthread_join(senders[i], NULL);
    }
    signals_stop(out);
    if (!seconds) { /* what is there in any case */
        out[1] = out[2] = 0;
        for (int i = 0; i < HELD; i++) {
            free(handlers.blocks[i]);
        }
    }
    snprintf(line, sizeof(line), "%llu %llu %llu\n", (unsigned long long)out[0],
        (unsigned long long)out[1], (unsigned long long)out[2]);
    fputs(line, stdout);
    return 0;
}
