/*
 * SIGBUS of files that were cut short (guard.h).  In the collector; the handler
 * runs wherever a ring is read.
 */
#include "collect/guard.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>

#include "collect/memory.h"

#define PAGE 4096u

static struct sigaction before;
static bool is_begun;

/* A page of zeros in the place of the one that is gone.  If that cannot be, the access comes again
   and ends us. */
static void on_missing(int number, siginfo_t *info, void *context)
{
    void *page = (void *)((uintptr_t)info->si_addr & ~(uintptr_t)(PAGE - 1));
    (void)context;
    if (info->si_code != BUS_ADRERR || memory_is_in_store(info->si_addr) ||
        mmap(page, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
            MAP_FAILED) {
        signal(number, SIG_DFL);
    }
}

void guard_begin(void)
{
    struct sigaction action = {.sa_sigaction = on_missing, .sa_flags = SA_SIGINFO};
    is_begun = sigaction(SIGBUS, &action, &before) == 0;
}

void guard_end(void)
{
    if (is_begun) {
        sigaction(SIGBUS, &before, NULL);
    }
}
