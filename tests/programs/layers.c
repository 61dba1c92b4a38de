/*
 * A library whose functions call each other, and back: three frames to each
 * malloc, and a callback from under two frames.  Sizes tell the calls apart.
 */
#include <pthread.h>
#include <stdlib.h>

#define CALLED __attribute__((noinline))

static void *volatile kept;
static volatile int steps; /* no call is the last thing that a function does */

CALLED static void *inner(size_t size)
{
    kept = malloc(size);
    steps++;
    return kept;
}
CALLED static void *middle(size_t size)
{
    void *block = inner(size);
    steps++;
    return block;
}
CALLED void *outer(size_t size)
{
    void *block = middle(size);
    steps++;
    return block;
}

/* Its frame is as large as it is told, which takes a frame pointer. */
CALLED void *in_a_large_frame(size_t size, size_t frame)
{
    volatile char *room = __builtin_alloca(frame);
    room[0] = 1;
    void *block = outer(size);
    steps += room[0];
    return block;
}

/* Its frame begins at a multiple of 64, which takes a saved one. */
CALLED void *in_an_aligned_frame(size_t size)
{
    volatile _Alignas(64) char room[64];
    room[0] = 1;
    void *block = outer(size);
    steps += room[0];
    return block;
}

CALLED static int through(int (*function)(int), int argument)
{
    int answer = function(argument);
    steps++;
    return answer;
}
CALLED int call_back(int (*function)(int), int argument)
{
    int answer = through(function, argument);
    steps++;
    return answer;
}

struct work {
    int (*function)(int);
    int argument;
};

CALLED static void *worker(void *data)
{
    struct work *work = data;
    outer(40000 + (size_t)work->argument);
    call_back(work->function, work->argument);
    steps++;
    return NULL;
}
/* The same in a thread that Python knows nothing of. */
int call_back_in_a_thread(int (*function)(int), int argument)
{
    struct work work = {function, argument};
    pthread_t thread;
    return pthread_create(&thread, NULL, worker, &work) || pthread_join(thread, NULL);
}
