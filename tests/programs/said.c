/*
 * Uses all of memtrace.h and prints what it was answered, a line each.
 */
#include <memtrace/memtrace.h>
#include <stdio.h>
#include <stdlib.h>

static size_t current(void)
{
    size_t now, peak;
    memtrace_get_traced_memory(&now, &peak);
    return now;
}

int main(void)
{
    size_t now, peak;
    setvbuf(stdout, NULL, _IONBF, 0);
    memtrace_mark("from C");
    printf("tracing %d\n", memtrace_is_tracing());
    unsigned region = memtrace_region_begin("band");
    size_t before = current();
    char *volatile block = (char *)malloc(1000000);
    printf("grown %zu\n", current() - before);
    memtrace_region_end(region);
    memtrace_stop();
    printf("tracing %d\n", memtrace_is_tracing());
    char *volatile other = (char *)malloc(5000);
    printf("paused %zu\n", current() - before);
    memtrace_start();
    free(other);
    free(block);
    printf("freed %d\n", current() == before);
    printf("answered %d\n", memtrace_get_traced_memory(&now, &peak));
    printf("peak %d\n", peak >= now + 1000000);
    return 0;
}
