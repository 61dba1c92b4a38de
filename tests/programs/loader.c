/*
 * What has brought tracers down beside the loader, in eight threads at once:
 * libraries that come and go, thread-local memory that is allocated when it is
 * first touched, destructors of threads that allocate and ask for usable sizes.
 *
 *     loader LIBRARY ROUNDS      prints how many rounds were right
 *
 * Compiled with -DLIBRARY it is the library.
 */
#ifdef LIBRARY
__thread char large[100000]; /* too large for the room that the loader keeps */

char *touch(int n);

char *touch(int n)
{
    large[n] = (char)n;
    return large + n;
}
#else
#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 8, DESTRUCTIONS = 4 };

static const char *library;
static int rounds;
static _Atomic int right, destroyed;
static pthread_key_t key;

/* Again and again, until the C library gives up: other destructors have run by then. */
static void destroy(void *value)
{
    char *block = malloc(1000);
    int *left = value;
    if (malloc_usable_size(block) >= 1000)
        destroyed++;
    free(block);
    if (--*left)
        pthread_setspecific(key, left);
    else
        free(left);
}

static void *touch_it(void *data)
{
    char *(*touch)(int) = (char *(*)(int))data;
    int *left = malloc(sizeof *left);
    *left = DESTRUCTIONS;
    pthread_setspecific(key, left);
    return *touch(7) == 7 ? data : NULL;
}

static int one_round(void)
{
    void *handle = dlopen(library, RTLD_NOW), *result = NULL;
    void *touch = handle ? dlsym(handle, "touch") : NULL;
    pthread_t thread;
    if (!touch || pthread_create(&thread, NULL, touch_it, touch) != 0)
        return 0;
    pthread_join(thread, &result);
    return dlclose(handle) == 0 && result == touch;
}

static void *work(void *data)
{
    for (int i = 0; i < rounds; i++) {
        char *block = malloc(64 + (size_t)i);
        memset(block, 1, 64);
        right += one_round();
        free(block);
    }
    return data;
}

int main(int argc, char **argv)
{
    pthread_t threads[THREADS];
    if (argc != 3)
        return 2;
    library = argv[1];
    rounds = atoi(argv[2]);
    pthread_key_create(&key, destroy);
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, work, NULL);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    printf("%d %d\n", right, destroyed);
    return right != THREADS * rounds || destroyed != THREADS * rounds * DESTRUCTIONS;
}
#endif
