/*
 * SIGBUS of files that were cut short, and other faults (guard.h).  In the collector; the handler
 * runs wherever a ring is read.
 */
#include "collect/guard.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "collect/memory.h"

#define PAGE 4096u

static struct sigaction before, before_fault;
static bool is_begun, is_fault_begun;

static void say(const char *line)
{
    if (write(STDERR_FILENO, line, strlen(line)) < 0) {
        return; /* there is nobody to tell */
    }
}

/* A page of zeros in the place of the one that is gone.  If that cannot be, the access comes again
   and ends us. */
static void on_missing(int number, siginfo_t *info, void *context)
{
    void *page = (void *)((uintptr_t)info->si_addr & ~(uintptr_t)(PAGE - 1));
    (void)context;
    if (info->si_code == BUS_ADRERR && memory_is_in_store(info->si_addr)) {
        say("memtrace: the collector's memory, a file of its session, was cut short or damaged: "
            "the program "
            "goes on untraced\n");
        _exit(125);
    }
    if (info->si_code != BUS_ADRERR ||
        mmap(page, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
            MAP_FAILED) {
        signal(number, SIG_DFL);
    }
}

/* The access comes again, and ends us. */
static void on_fault(int number)
{
    say("memtrace: the collector has failed: somebody has written into its session, or this is a "
        "bug of it; the program goes on untraced\n");
    signal(number, SIG_DFL);
}

void guard_begin(void)
{
    struct sigaction action = {.sa_sigaction = on_missing, .sa_flags = SA_SIGINFO};
    struct sigaction fault = {.sa_handler = on_fault};
    is_begun = sigaction(SIGBUS, &action, &before) == 0;
    is_fault_begun = sigaction(SIGSEGV, NULL, &before_fault) == 0 &&
                     before_fault.sa_handler == SIG_DFL && /* a sanitizer knows more */
                     sigaction(SIGSEGV, &fault, NULL) == 0;
}

void guard_end(void)
{
    if (is_begun) {
        sigaction(SIGBUS, &before, NULL);
    }
    if (is_fault_begun) {
        sigaction(SIGSEGV, &before_fault, NULL);
    }
}
