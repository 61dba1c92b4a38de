/*
 * So many threads, all at the same time, each of which allocates.  Says how many.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define STACK (64u << 10)

static pthread_barrier_t ready;
static void **held;

static void *work(void *place)
{
    *(void **)place = malloc(1000);
    pthread_barrier_wait(&ready);
    return NULL;
}

int main(int argc, char **argv)
{
    unsigned count = argc > 1 ? (unsigned)atoi(argv[1]) : 1;
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK);
    pthread_barrier_init(&ready, NULL, count + 1);
    held = calloc(count, sizeof(*held));
    for (unsigned n = 0; n < count; n++) {
        if (pthread_create(&thread, &attributes, work, &held[n])) {
            return 1;
        }
    }
    pthread_barrier_wait(&ready);
    printf("%u\n", count);
    return 0;
}
