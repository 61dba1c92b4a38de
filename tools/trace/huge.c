/*
 * Hints to the kernel (huge.h).  Runs in the tools.
 */
#include "trace/huge.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* From the page on that it begins in: a map of malloc's own is one piece then, and stays one. */
void huge_advise(void *memory, size_t size)
{
    if (size < HUGE_FROM)
        return;
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), address = (uintptr_t)memory;
    uintptr_t begin = address / page * page, end = (address + size + page - 1) / page * page;
    madvise((void *)begin, end - begin, MADV_HUGEPAGE);
}

void *huge_calloc(size_t count, size_t item)
{
    void *memory = calloc(count, item);
    if (memory)
        huge_advise(memory, count * item);
    return memory;
}

void *huge_realloc(void *memory, size_t count, size_t item)
{
    memory = reallocarray(memory, count, item);
    if (memory)
        huge_advise(memory, count * item);
    return memory;
}
