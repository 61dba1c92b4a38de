/*
 * A program that loads its interpreter when it wants one, runs a text in it and
 * unloads it.  Threads load another library meanwhile, again and again.
 *
 *     loads LIBRARY local|global ROUNDS THREADS OTHER TEXT
 *
 * In the rounds before the last one the interpreter is loaded and unloaded, no more.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *other;
static _Atomic int done, turns;

static void *load_another(void *data)
{
    while (!done) {
        void *library = dlopen(other, RTLD_NOW);
        if (library)
            dlclose(library);
        free(malloc(100));
        turns++;
    }
    return data;
}

static int run(void *library, const char *text)
{
    void (*start)(void) = (void (*)(void))dlsym(library, "Py_Initialize");
    void (*end)(void) = (void (*)(void))dlsym(library, "Py_Finalize");
    int (*execute)(const char *) = (int (*)(const char *))dlsym(library, "PyRun_SimpleString");
    start();
    int failed = execute(text);
    end();
    return failed;
}

int main(int argc, char **argv)
{
    pthread_t threads[8];
    int failed = argc != 7, flags = RTLD_NOW;
    int rounds = atoi(argv[3]), n = atoi(argv[4]);
    if (strcmp(argv[2], "global") == 0)
        flags |= RTLD_GLOBAL;
    other = argv[5];
    for (int i = 0; i < n; i++)
        pthread_create(&threads[i], NULL, load_another, NULL);
    while (n && turns < 100) {
    }
    for (int i = 0; i < rounds; i++) {
        void *library = dlopen(argv[1], flags);
        if (!library)
            return 2;
        free(malloc(1000));
        if (i == rounds - 1)
            failed |= run(library, argv[6]);
        dlclose(library);
        free(malloc(1000));
    }
    done = 1;
    for (int i = 0; i < n; i++)
        pthread_join(threads[i], NULL);
    return failed;
}
