/*
 * Calls each function of the malloc family, and mmap, from a function of its own,
 * and one that the C library calls malloc in.  With arguments: loads the first
 * library, calls its `allocate`, unloads it, and does the same with the others.
 * Prints where each library's function was.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define CALLED __attribute__((noinline))

static void *volatile kept;

CALLED static void by_malloc(void)
{
    kept = malloc(50001);
}
CALLED static void by_calloc(void)
{
    kept = calloc(2, 25001);
}
CALLED static void by_realloc(void)
{
    kept = realloc(malloc(10), 50003);
}
CALLED static void by_memalign(void)
{
    kept = memalign(64, 50004);
}
CALLED static void by_posix_memalign(void)
{
    void *block;
    kept = posix_memalign(&block, 64, 50005) == 0 ? block : NULL;
}
CALLED static void by_aligned_alloc(void)
{
    kept = aligned_alloc(64, 50048);
}
CALLED static void by_mmap(void)
{
    kept = mmap(NULL, 53248, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}
CALLED static void by_strndup(void)
{
    static char text[50007];
    memset(text, 'x', sizeof(text) - 1);
    kept = strndup(text, sizeof(text));
}

static int load(const char *path)
{
    void *library = dlopen(path, RTLD_NOW);
    void *(*allocate)(void) = library ? (void *(*)(void))dlsym(library, "allocate") : NULL;
    if (!allocate) {
        fprintf(stderr, "%s\n", dlerror());
        return 1;
    }
    kept = allocate();
    printf("%p\n", (void *)(uintptr_t)allocate);
    return dlclose(library);
}

int main(int argc, char **argv)
{
    by_malloc();
    by_calloc();
    by_realloc();
    by_memalign();
    by_posix_memalign();
    by_aligned_alloc();
    by_mmap();
    by_strndup();
    for (int i = 1; i < argc; i++) {
        if (load(argv[i]) != 0) {
            return 1;
        }
    }
    return 0;
}
